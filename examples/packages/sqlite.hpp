#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

/// As much of SQLite as the demo needs. Failures are thrown as
/// std::runtime_error. Objects are for one thread at a time.
namespace packages::sqlite {

class connection {
public:
  enum class mode { read_only, create };

  connection(const std::filesystem::path& file, mode m) {
    auto flags = m == mode::read_only
                   ? SQLITE_OPEN_READONLY
                   : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    sqlite3* handle = nullptr;
    auto result = sqlite3_open_v2(file.c_str(), &handle,
                                  flags | SQLITE_OPEN_NOMUTEX, nullptr);
    handle_.reset(handle);
    if (result != SQLITE_OK)
      throw std::runtime_error("cannot open the database " + file.string()
                               + ": " + sqlite3_errmsg(handle));
  }

  void execute(const char* sql) {
    check(sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr));
  }

  void check(int result) const {
    if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE)
      throw std::runtime_error(std::string{"the database says: "}
                               + sqlite3_errmsg(handle_.get()));
  }

  sqlite3* get() const {
    return handle_.get();
  }

private:
  struct close {
    void operator()(sqlite3* handle) const {
      sqlite3_close(handle);
    }
  };

  std::unique_ptr<sqlite3, close> handle_;
};

/// A prepared statement; its connection must outlive it.
class statement {
public:
  statement(const connection& db, std::string_view sql) : db_{&db} {
    sqlite3_stmt* handle = nullptr;
    db.check(sqlite3_prepare_v3(db.get(), sql.data(),
                                static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &handle, nullptr));
    handle_.reset(handle);
  }

  /// Binds `text`, which must live until the statement is reset.
  void bind(int index, std::string_view text) {
    db_->check(sqlite3_bind_text64(handle_.get(), index, text.data(),
                                   text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }

  void bind(int index, int64_t number) {
    db_->check(sqlite3_bind_int64(handle_.get(), index, number));
  }

  /// Goes to the next row; false: there is none.
  bool step() {
    auto result = sqlite3_step(handle_.get());
    db_->check(result);
    return result == SQLITE_ROW;
  }

  /// The bytes of a column, valid until the next step or reset.
  std::string_view text(int column) {
    auto data = sqlite3_column_blob(handle_.get(), column);
    auto size = sqlite3_column_bytes(handle_.get(), column);
    return {static_cast<const char*>(data), static_cast<size_t>(size)};
  }

  int64_t number(int column) {
    return sqlite3_column_int64(handle_.get(), column);
  }

  void reset() {
    sqlite3_reset(handle_.get());
  }

private:
  struct finalize {
    void operator()(sqlite3_stmt* handle) const {
      sqlite3_finalize(handle);
    }
  };

  const connection* db_;
  std::unique_ptr<sqlite3_stmt, finalize> handle_;
};

} // namespace packages::sqlite

#include "galaxycache/runtime/tls.hpp"

#include "fixtures/certificates.hpp"
#include "fixtures/tls_stranger.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

const std::string prefix = "openssl.";

tls_context::pointer context_of(const tls_files& files) {
  auto made = tls_context::make(files, prefix);
  if (auto* why = std::get_if<failure>(&made))
    throw std::runtime_error{why->reason};
  return std::get<tls_context::pointer>(made);
}

tcp_socket open_door() {
  return std::get<tcp_socket>(listen_at("127.0.0.1", 0));
}

/// A porch, and all who came through it.
struct porch_rig {
  explicit porch_rig(tls_porch::limits bounds = {}) : limits(bounds) {
    porch.open();
  }

  std::size_t arrived() {
    std::lock_guard guard{mutex};
    return lines.size();
  }

  std::size_t complaints_with(const std::string& words) {
    std::lock_guard guard{mutex};
    return static_cast<std::size_t>(
      std::ranges::count_if(complaints, [&](const std::string& x) {
        return x.find(words) != std::string::npos;
      }));
  }

  std::variant<tls_line, failure> connect(const tls_files& files,
                                          const first_words& expected = {}) {
    return connect_tls(context_of(files), "127.0.0.1", port, patience,
                       expected);
  }

  tls_line arrive(const tls_files& files) {
    return std::get<tls_line>(connect(files));
  }

  certificate_folder folder;
  tls_files home = folder.issue("ring", "home");
  tls_files member = folder.issue("ring", "member");
  tls_strangers strangers{folder};
  tls_porch::limits limits;
  std::mutex mutex; // protects the following two
  std::vector<tls_line> lines;
  std::vector<std::string> complaints;
  std::string welcome; // said to who is through
  tcp_socket door = open_door();
  std::uint16_t port = local_port(door);
  tls_porch porch{std::move(door),
                  context_of(home),
                  nullptr,
                  [this](tls_line x) {
                    std::lock_guard guard{mutex};
                    if (!welcome.empty())
                      x.session.write(welcome.data(), welcome.size());
                    lines.push_back(std::move(x));
                  },
                  [this](const std::string& text) {
                    std::lock_guard guard{mutex};
                    complaints.push_back(text);
                  },
                  limits};
};

struct impatient_rig : porch_rig {
  impatient_rig() : porch_rig({.guests_max = 8, .patience = 50ms}) {
    // nop
  }
};

struct small_rig : porch_rig {
  small_rig() : porch_rig({.guests_max = 8, .patience = patience}) {
    // nop
  }
};

/// All that is said until `size` bytes are there.
std::string hear(tls_line& line, std::size_t size) {
  std::string result(size, '\0');
  std::size_t got = 0;
  eventually([&] {
    auto n = line.session.read(result.data() + got, size - got);
    if (n < 0)
      throw std::runtime_error{line.session.reason()};
    got += static_cast<std::size_t>(n);
    return got == size;
  });
  return result;
}

std::string why_refused(const tls_files& files) {
  auto made = tls_context::make(files, prefix);
  auto* why = std::get_if<failure>(&made);
  if (!why)
    return "it is not";
  BOOST_TEST((why->code == errc::invalid_argument));
  return why->reason;
}

void check_refused(const tls_files& files, const std::string& option,
                   const std::string& words) {
  auto why = why_refused(files);
  BOOST_TEST(why.find(prefix + option + ": ") == 0u, why);
  BOOST_TEST(why.find(words) != std::string::npos, why);
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls)

// -- credentials --------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_missing_is_named) {
  certificate_folder folder;
  auto good = folder.issue("ring", "home");
  BOOST_TEST(why_refused(good) == "it is not");
  check_refused({}, "certificate", "is needed");
  auto files = good;
  files.key.clear();
  check_refused(files, "key", "is needed");
  files = good;
  files.cafile.clear();
  check_refused(files, "cafile", "is needed");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_named) {
  certificate_folder folder;
  auto good = folder.issue("ring", "home");
  for (auto& bad : {std::string{"/no/such/file"}, folder.write("bad", "bad"),
                    folder.write("empty", "")}) {
    auto files = good;
    files.certificate = bad;
    check_refused(files, "certificate", bad + " cannot be read");
    files = good;
    files.key = bad;
    check_refused(files, "key", bad + " cannot be read");
    files = good;
    files.cafile = bad;
    check_refused(files, "cafile", bad + " cannot be read");
  }
}

BOOST_AUTO_TEST_CASE(a_key_of_somebody_else_is_refused) {
  certificate_folder folder;
  auto files = folder.issue("ring", "home");
  files.key = folder.issue("ring", "other").key;
  check_refused(files, "key", "is not the key of " + files.certificate);
}

BOOST_AUTO_TEST_CASE(a_certificate_that_peers_would_refuse_is_refused) {
  certificate_folder folder;
  check_refused(folder.issue("ring", "late",
                             {.ends = -std::chrono::minutes{1}}),
                "certificate", "certificate has expired");
  check_refused(folder.issue("ring", "early",
                             {.begins = std::chrono::minutes{10}}),
                "certificate", "certificate is not yet valid");
  for (auto* usage : {"serverAuth", "clientAuth"})
    check_refused(folder.issue("ring", "half", {.usage = usage}), "certificate",
                  "purpose");
  BOOST_TEST(why_refused(folder.issue("ring", "whole",
                                      {.usage = "serverAuth,clientAuth"}))
             == "it is not");
  auto files = folder.issue("ring", "home");
  files.cafile = folder.issue("another", "foreigner").cafile;
  check_refused(files, "certificate", "issuer");
}

BOOST_AUTO_TEST_CASE(a_key_is_decrypted_with_the_passphrase_alone) {
  certificate_folder folder;
  auto files = folder.issue("ring", "home", {.passphrase = "open sesame"});
  BOOST_TEST(why_refused(files) == "it is not");
  files.passphrase = "open barley";
  check_refused(files, "key", "cannot be read");
  files.passphrase.clear();
  check_refused(files, "key", "cannot be read");
}

// -- connections --------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(members_talk_to_each_other, porch_rig) {
  auto there = arrive(member);
  eventually([&] { return arrived() == 1; });
  std::lock_guard guard{mutex};
  auto& here = lines.front();
  BOOST_TEST(there.session.write("ping", 4) == 4);
  BOOST_TEST(hear(here, 4) == "ping");
  BOOST_TEST(here.session.write("pong", 4) == 4);
  BOOST_TEST(hear(there, 4) == "pong");
  // Nothing more is there, and then the end.
  char c = 0;
  BOOST_TEST(there.session.read(&c, 1) == 0);
  lines.clear();
  eventually([&] { return there.session.read(&c, 1) < 0; });
  eventually([&] { return there.session.write(&c, 1) < 0; });
}

BOOST_FIXTURE_TEST_CASE(much_arrives_whole_though_the_socket_is_full,
                        porch_rig) {
  auto there = arrive(member);
  eventually([&] { return arrived() == 1; });
  std::string sent(32 << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<char>(i * 2654435761u >> 13);
  std::size_t stalls = 0;
  std::jthread writer{[&] {
    std::string_view rest = sent;
    while (!rest.empty()) {
      // From another place each time.
      std::string moved{rest};
      auto n = lines.front().session.write(moved.data(), moved.size());
      if (n < 0)
        return;
      if (static_cast<std::size_t>(n) < rest.size()) {
        ++stalls;
        await_writable(lines.front().socket,
                       std::chrono::steady_clock::now() + patience);
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }};
  BOOST_TEST((hear(there, sent.size()) == sent));
  writer.join();
  BOOST_TEST(stalls > 0u);
}

BOOST_FIXTURE_TEST_CASE(pieces_arrive_whole_though_nobody_reads_at_first,
                        porch_rig) {
  auto there = arrive(member);
  eventually([&] { return arrived() == 1; });
  auto& here = lines.front();
  random_source random{3};
  std::string sent;
  std::size_t stalls = 0;
  std::size_t arrived_bytes = 0;
  std::string heard(1 << 16, '\0');
  auto read_some = [&] {
    auto n = there.session.read(heard.data(), heard.size());
    BOOST_REQUIRE(n >= 0);
    auto size = static_cast<std::size_t>(n);
    BOOST_REQUIRE(arrived_bytes + size <= sent.size());
    BOOST_REQUIRE(
      std::equal(heard.begin(), heard.begin() + n,
                 sent.begin() + static_cast<std::ptrdiff_t>(arrived_bytes)));
    arrived_bytes += size;
  };
  for (std::size_t round = 1; round <= 20; ++round) {
    while (stalls < round) {
      std::string piece(1 + random.below(300'000),
                        static_cast<char>(random.next()));
      sent += piece;
      for (std::string_view rest = piece; !rest.empty();) {
        auto n = here.session.write(rest.data(), rest.size());
        BOOST_REQUIRE(n >= 0);
        if (static_cast<std::size_t>(n) < rest.size()) {
          stalls = round;
          read_some();
        }
        rest.remove_prefix(static_cast<std::size_t>(n));
      }
    }
    // The socket has what was said to be written: nobody has to ask again.
    eventually([&] {
      read_some();
      return arrived_bytes == sent.size();
    });
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_written_is_in_the_socket, porch_rig) {
  auto there = arrive(member);
  eventually([&] { return arrived() == 1; });
  auto& here = lines.front();
  const std::string piece(60'000, 'x');
  // Encrypted, so a little more than was written.
  auto on_the_way = [&] {
    int unsent = 0;
    int unread = 0;
    BOOST_REQUIRE(ioctl(here.socket.fd(), SIOCOUTQNSD, &unsent) == 0);
    BOOST_REQUIRE(ioctl(there.socket.fd(), FIONREAD, &unread) == 0);
    return static_cast<std::size_t>(unsent + unread);
  };
  std::size_t written = 0;
  while (here.session.write(piece.data(), piece.size())
         == static_cast<std::ptrdiff_t>(piece.size())) {
    written += piece.size();
    BOOST_REQUIRE(on_the_way() >= written);
  }
  BOOST_TEST(written > 0u);
}

BOOST_FIXTURE_TEST_CASE(reading_may_be_kept_from_the_socket, porch_rig) {
  auto there = arrive(member);
  eventually([&] { return arrived() == 1; });
  auto& here = lines.front();
  BOOST_TEST(there.session.write("pingpong", 8) == 8);
  BOOST_TEST(hear(here, 1) == "p");
  BOOST_TEST(here.session.unread() == 7u);
  here.session.receive(false);
  BOOST_TEST(hear(here, 7) == "ingpong");
  BOOST_TEST(!here.session.has_unread());
  BOOST_TEST(there.session.write("more", 4) == 4);
  BOOST_TEST(
    await_readable(here.socket, std::chrono::steady_clock::now() + patience));
  char c = 0;
  BOOST_TEST(here.session.read(&c, 1) == 0);
  here.session.receive(true);
  BOOST_TEST(hear(here, 4) == "more");
}

BOOST_FIXTURE_TEST_CASE(first_words_are_left_to_be_read, porch_rig) {
  {
    std::lock_guard guard{mutex};
    welcome = "welcome, stranger";
  }
  auto expecting = [](const std::string& words) {
    return first_words{words.size(), [words](std::string_view heard) {
                         return heard == words ? std::string{}
                                               : "it says something else";
                       }};
  };
  auto met = connect(member, expecting("welcome"));
  BOOST_REQUIRE(std::holds_alternative<tls_line>(met));
  auto& line = std::get<tls_line>(met);
  BOOST_TEST(line.session.unread() == welcome.size());
  BOOST_TEST(hear(line, welcome.size()) == welcome);
  met = connect(member, expecting("go away"));
  BOOST_REQUIRE(std::holds_alternative<failure>(met));
  BOOST_TEST((std::get<failure>(met).code == errc::incompatible_peer));
  met = connect(member, expecting(welcome + " of mine"));
  BOOST_REQUIRE(std::holds_alternative<failure>(met));
}

BOOST_FIXTURE_TEST_CASE(a_connection_may_get_another_number, porch_rig) {
  descriptor_cycle numbers{1};
  auto there = arrive(member);
  auto before = there.socket.fd();
  there.renew(numbers);
  BOOST_TEST(there.socket.fd() != before);
  eventually([&] { return arrived() == 1; });
  std::lock_guard guard{mutex};
  lines.front().renew(numbers);
  BOOST_TEST(there.session.write("ping", 4) == 4);
  BOOST_TEST(hear(lines.front(), 4) == "ping");
}

BOOST_FIXTURE_TEST_CASE(who_connects_refuses_other_servers, porch_rig) {
  certificate_folder elsewhere;
  auto foreign = connect(elsewhere.issue("another", "visitor"));
  BOOST_REQUIRE(std::holds_alternative<failure>(foreign));
  auto& why = std::get<failure>(foreign);
  BOOST_TEST((why.code == errc::peer_failed));
  BOOST_TEST(why.reason.find("certificate of the other end is refused")
               != std::string::npos,
             why.reason);
}

BOOST_AUTO_TEST_CASE(who_connects_does_not_wait_for_ever) {
  certificate_folder folder;
  auto context = context_of(folder.issue("ring", "member"));
  auto door = open_door();
  auto met = connect_tls(context, "127.0.0.1", local_port(door), 20ms);
  BOOST_REQUIRE(std::holds_alternative<failure>(met));
  BOOST_TEST(std::get<failure>(met).reason.find("too long")
             != std::string::npos);
  auto port = local_port(door);
  door = {};
  met = connect_tls(context, "127.0.0.1", port, patience);
  BOOST_REQUIRE(std::holds_alternative<failure>(met));
}

BOOST_FIXTURE_TEST_CASE(who_is_refused_is_told_so, porch_rig) {
  // Somebody who trusts the ring, but is not of it.
  auto files = folder.issue("another", "foreigner");
  // Without his own authority, he would not start at all.
  files.cafile = folder.join("both", {files.cafile, home.cafile});
  auto met = connect(files, {1, [](std::string_view) { return ""; }});
  BOOST_REQUIRE(std::holds_alternative<failure>(met));
  auto& why = std::get<failure>(met).reason;
  BOOST_TEST(why.find("unknown ca") != std::string::npos, why);
  eventually([&] { return complaints_with("127.0.0.1") == 1; });
}

// -- strangers ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(strangers_are_not_let_in, porch_rig) {
  for (std::size_t i = 0; i < manners; ++i) {
    auto how = static_cast<manner>(i);
    BOOST_TEST(!strangers.visit(how, port), to_string(how));
  }
  eventually([&] { return porch.count().guests == 0; });
  BOOST_TEST(porch.count().accepted == manners);
  BOOST_TEST(porch.count().admitted == 0u);
  auto line = arrive(member);
  eventually([&] { return arrived() == 1; });
}

BOOST_FIXTURE_TEST_CASE(whoever_says_nothing_is_dropped_in_time,
                        impatient_rig) {
  for (auto how : {manner::says_nothing, manner::sends_half_a_hello,
                   manner::sends_hello_and_waits}) {
    auto guest = strangers.stay(how, port);
    std::string heard(100'000, '\0');
    // Ends, after what it was told of TLS if it said enough.
    while (recv(guest.fd(), heard.data(), heard.size(), 0) > 0)
      continue;
    eventually([&] { return porch.count().guests == 0; });
  }
  BOOST_TEST(porch.count().accepted == 3u);
  BOOST_TEST(porch.count().handshakes == 0u);
}

BOOST_FIXTURE_TEST_CASE(silent_guests_are_in_no_handshake, small_rig) {
  std::vector<tcp_socket> guests;
  for (auto how : {manner::says_nothing, manner::sends_half_a_hello})
    guests.push_back(strangers.stay(how, port));
  eventually([&] { return porch.count().guests == 2; });
  guests.push_back(strangers.stay(manner::sends_hello_and_waits, port));
  eventually([&] { return porch.count().handshakes == 1; });
  BOOST_TEST(porch.count().guests == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_full_porch_drops_some_and_lets_members_in,
                        small_rig) {
  std::vector<tcp_socket> guests;
  for (std::size_t i = 0; i < 100; ++i)
    guests.push_back(strangers.stay(
      i % 2 == 0 ? manner::says_nothing : manner::sends_hello_and_waits, port));
  eventually([&] { return porch.count().accepted == 100; });
  BOOST_TEST(porch.count().guests == limits.guests_max);
  auto line = arrive(member);
  eventually([&] { return arrived() == 1; });
}

BOOST_FIXTURE_TEST_CASE(refusals_are_told_once_in_a_while, porch_rig) {
  for (int i = 0; i < 100; ++i)
    strangers.visit(manner::speaks_http, port);
  for (int i = 0; i < 100; ++i)
    strangers.visit(manner::looks_whether_it_is_open, port);
  eventually([&] {
    auto now = porch.count();
    return now.accepted == 200 && now.guests == 0;
  });
  BOOST_TEST(complaints_with("refused 1 connection, from 127.0.0.1: it does "
                             "not speak TLS")
             == 1u);
  std::lock_guard guard{mutex};
  BOOST_TEST(complaints.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(who_is_closed_accepts_nobody, porch_rig) {
  // The port is still taken, but nobody answers.
  auto is_let_in = [&] {
    return std::holds_alternative<tls_line>(
      connect_tls(context_of(member), "127.0.0.1", port, 200ms));
  };
  porch.stop();
  BOOST_TEST(!is_let_in());
  porch.open();
  BOOST_TEST(!is_let_in());
}

BOOST_AUTO_TEST_SUITE_END()

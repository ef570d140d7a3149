#include "galaxycache/messages/error.hpp"

#include "galaxycache/messages/type_ids.hpp"

namespace galaxycache {

namespace {

constexpr auto last_code = static_cast<std::uint8_t>(errc::codec_error);

} // namespace

std::string to_string(errc code) {
  return std::string{name_of(code)};
}

bool from_string(std::string_view text, errc& code) {
  for (std::uint8_t number = 0; number <= last_code; ++number) {
    if (name_of(static_cast<errc>(number)) == text) {
      code = static_cast<errc>(number);
      return true;
    }
  }
  return false;
}

bool from_integer(std::uint8_t number, errc& code) {
  code = errc_from(number);
  return number <= last_code;
}

caf::error make_error(failure why) {
  if (why.reason.empty())
    return caf::make_error(why.code);
  return caf::make_error(why.code, std::move(why.reason));
}

errc code_of(const caf::error& error) {
  if (!error)
    return errc::none;
  if (holds<errc>(error))
    return errc_from(static_cast<std::uint8_t>(error.code()));
  if (means_receiver_is_gone(error))
    return errc::unavailable;
  if (error == caf::sec::request_timeout)
    return errc::deadline_exceeded;
  return errc::internal_error;
}

std::string describe(const caf::error& error) {
  if (!error)
    return "no error";
  if (!holds<errc>(error))
    return text_of(error);
  std::string text{describe(code_of(error))};
  if (auto context = context_of(error))
    text += ": " + *context;
  return text;
}

failure failure_of(const caf::error& error) {
  auto code = code_of(error);
  if (holds<errc>(error))
    return {code, context_of(error).value_or("")};
  return {code, error ? text_of(error) : ""};
}

} // namespace galaxycache

#include "debian.hpp"

#include <algorithm>
#include <charconv>

namespace packages::debian {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view lhs, std::string_view rhs) {
  return std::equal(lhs.begin(), lhs.end(), rhs.begin(), rhs.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trim(std::string_view text) {
  constexpr auto blanks = " \t\r\n";
  auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Removes what stands before the first `separator` from `text` and returns it,
// or all of `text` if there is none.
std::string_view cut(std::string_view& text, char separator) {
  auto end = text.find(separator);
  auto result = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return result;
}

// `libc6:any (>= 2.36) [amd64]` is a relation to libc6.
std::string_view name_of(std::string_view relation) {
  relation = trim(relation);
  return relation.substr(0, relation.find_first_of(" \t\r\n:([<"));
}

void append_dependencies(std::vector<alternatives>& result,
                         std::string_view relations) {
  while (!relations.empty()) {
    auto relation = cut(relations, ',');
    alternatives names;
    while (!relation.empty())
      if (auto name = name_of(cut(relation, '|')); !name.empty())
        names.push_back(name);
    if (!names.empty())
      result.push_back(std::move(names));
  }
}

// '~' sorts before the end of the text, letters before all other characters.
int weight(std::string_view text) {
  if (text.empty() || is_digit(text.front()))
    return 0;
  auto c = text.front();
  if (c == '~')
    return -1;
  return is_alpha(c) ? c : static_cast<unsigned char>(c) + 256;
}

// Compares in turns a run of non-digits by weight and a run of digits by value.
int compare_parts(std::string_view lhs, std::string_view rhs) {
  auto starts_with_digit = [](std::string_view text) {
    return !text.empty() && is_digit(text.front());
  };
  auto skip_zeros = [](std::string_view& text) {
    while (!text.empty() && text.front() == '0')
      text.remove_prefix(1);
  };
  while (!lhs.empty() || !rhs.empty()) {
    while ((!lhs.empty() && !starts_with_digit(lhs))
           || (!rhs.empty() && !starts_with_digit(rhs))) {
      if (auto diff = weight(lhs) - weight(rhs); diff != 0)
        return diff;
      lhs.remove_prefix(1);
      rhs.remove_prefix(1);
    }
    skip_zeros(lhs);
    skip_zeros(rhs);
    auto first_diff = 0;
    while (starts_with_digit(lhs) && starts_with_digit(rhs)) {
      if (first_diff == 0)
        first_diff = lhs.front() - rhs.front();
      lhs.remove_prefix(1);
      rhs.remove_prefix(1);
    }
    if (starts_with_digit(lhs))
      return 1;
    if (starts_with_digit(rhs))
      return -1;
    if (first_diff != 0)
      return first_diff;
  }
  return 0;
}

struct version {
  unsigned long epoch = 0;
  std::string_view upstream;
  std::string_view revision;
};

version parse_version(std::string_view text) {
  version result;
  if (auto colon = text.find(':'); colon != std::string_view::npos) {
    std::from_chars(text.data(), text.data() + colon, result.epoch);
    text.remove_prefix(colon + 1);
  }
  auto dash = text.rfind('-');
  result.upstream = text.substr(0, dash);
  if (dash != std::string_view::npos)
    result.revision = text.substr(dash + 1);
  return result;
}

} // namespace

std::string_view next_stanza(std::string_view& text) {
  auto first = text.find_first_not_of("\r\n");
  if (first == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(first);
  auto end = text.find("\n\n");
  auto size = end == std::string_view::npos ? text.size() : end + 1;
  auto result = text.substr(0, size);
  text.remove_prefix(size);
  return result;
}

std::string_view field(std::string_view stanza, std::string_view name) {
  while (!stanza.empty()) {
    auto found = stanza.size() > name.size() && stanza[name.size()] == ':'
                 && same_name(stanza.substr(0, name.size()), name);
    // A line that begins with a blank continues the field before it.
    size_t end = stanza.find('\n');
    while (end != std::string_view::npos && end + 1 < stanza.size()
           && (stanza[end + 1] == ' ' || stanza[end + 1] == '\t'))
      end = stanza.find('\n', end + 1);
    if (found)
      return trim(stanza.substr(0, end).substr(name.size() + 1));
    stanza.remove_prefix(end == std::string_view::npos ? stanza.size()
                                                       : end + 1);
  }
  return {};
}

std::vector<alternatives> dependencies(std::string_view stanza) {
  std::vector<alternatives> result;
  append_dependencies(result, field(stanza, "Pre-Depends"));
  append_dependencies(result, field(stanza, "Depends"));
  return result;
}

std::vector<std::string_view> provides(std::string_view stanza) {
  std::vector<std::string_view> result;
  auto relations = field(stanza, "Provides");
  while (!relations.empty())
    if (auto name = name_of(cut(relations, ',')); !name.empty())
      result.push_back(name);
  return result;
}

int compare_versions(std::string_view lhs, std::string_view rhs) {
  auto l = parse_version(lhs);
  auto r = parse_version(rhs);
  if (l.epoch != r.epoch)
    return l.epoch < r.epoch ? -1 : 1;
  if (auto diff = compare_parts(l.upstream, r.upstream); diff != 0)
    return diff;
  return compare_parts(l.revision, r.revision);
}

} // namespace packages::debian

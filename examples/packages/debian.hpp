#pragma once

#include <string_view>
#include <vector>

/// The text format of Debian's package lists: records ("stanzas") of
/// `Field: value` lines, separated by empty lines. All views returned here
/// point into the text they were taken from.
namespace packages::debian {

/// Removes the first stanza from `text` and returns it, its last line's
/// newline included and the empty lines around it not. Empty: no more.
std::string_view next_stanza(std::string_view& text);

/// The value of a field of a stanza, continuation lines included; empty if the
/// stanza has no such field.
std::string_view field(std::string_view stanza, std::string_view name);

/// The names of one dependency, in order of preference: `a (>= 1) | b:any`
/// gives a, b. Versions and architectures are left aside.
using alternatives = std::vector<std::string_view>;

/// What must be installed beside the package of this stanza: Pre-Depends, then
/// Depends.
std::vector<alternatives> dependencies(std::string_view stanza);

/// The virtual packages that the package of this stanza provides.
std::vector<std::string_view> provides(std::string_view stanza);

/// Orders two versions as dpkg does: negative, zero or positive as `lhs` is
/// older than, the same as, or newer than `rhs`.
int compare_versions(std::string_view lhs, std::string_view rhs);

} // namespace packages::debian

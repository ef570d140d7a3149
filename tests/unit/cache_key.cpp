#include "galaxycache/runtime/cache_key.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>
#include <ostream>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace galaxycache {

// For Boost.Test.
std::ostream& operator<<(std::ostream& out, key_error error) {
  return out << describe(error);
}

} // namespace galaxycache

namespace {

constexpr auto number_max = std::numeric_limits<std::uint64_t>::max();

// Those of galaxycache's tests.
constexpr epoch_config config{{}, 396'999'999'953ns, 330'999'999'991};

std::string string_field(std::string_view id) {
  std::string result;
  append_str_id(result, id);
  return result;
}

std::string number_field(std::uint64_t id) {
  std::string result;
  append_uint(result, id);
  return result;
}

std::string random_bytes(random_source& random, std::size_t size) {
  std::string result;
  for (std::size_t i = 0; i < size; ++i)
    result += static_cast<char>(random.below(256));
  return result;
}

// Numbers of every size.
std::uint64_t random_number(random_source& random) {
  return random.next() >> random.below(64);
}

// Decodes bytes from an allocation just as large, so that the address sanitizer
// sees any read beyond it.
template <class F>
auto with_exactly(std::string_view bytes, F f) {
  const auto copy = std::make_unique<char[]>(bytes.size());
  bytes.copy(copy.get(), bytes.size());
  return f(std::string_view{copy.get(), bytes.size()});
}

// Both return the error, and check that one changes nothing.
key_error decode_str_id(std::string_view bytes) {
  return with_exactly(bytes, [](std::string_view all) {
    auto rest = all;
    std::string_view id = "before";
    const auto error = consume_str_id(rest, id);
    if (error != key_error::none) {
      BOOST_TEST((rest.data() == all.data() && rest.size() == all.size()));
      BOOST_TEST(id == "before");
    }
    return error;
  });
}

key_error decode_uint(std::string_view bytes) {
  return with_exactly(bytes, [](std::string_view all) {
    auto rest = all;
    std::uint64_t id = 4'711;
    const auto error = consume_uint(rest, id);
    if (error != key_error::none) {
      BOOST_TEST((rest.data() == all.data() && rest.size() == all.size()));
      BOOST_TEST(id == 4'711u);
    }
    return error;
  });
}

std::uint64_t epoch_at(std::chrono::nanoseconds since_zero,
                       key_jitter jitter = {}) {
  return epoch_number(config, wall_time{since_zero}, jitter);
}

} // namespace

BOOST_AUTO_TEST_SUITE(cache_key)

// -- fields -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(strings_are_encoded_as_galaxycache_does) {
  BOOST_TEST(string_field("abc")
             == "\x03"
                "abc\0"s);
  BOOST_TEST(string_field("") == "\0\0"s);
  BOOST_TEST(string_field("\0\xff"s) == "\x02\0\xff\0"s);
  const std::string long_id(300, 'x');
  BOOST_TEST(string_field(long_id) == "\xac\x02" + long_id + "\0"s);
}

BOOST_AUTO_TEST_CASE(numbers_are_encoded_as_galaxycache_does) {
  BOOST_TEST(number_field(0) == "\0\0"s);
  BOOST_TEST(number_field(1) == "\x01\0"s);
  BOOST_TEST(number_field(127) == "\x7f\0"s);
  BOOST_TEST(number_field(128) == "\x80\x01\0"s);
  BOOST_TEST(number_field(300) == "\xac\x02\0"s);
  BOOST_TEST(number_field(std::uint64_t{1} << 63)
             == "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\0"s);
  BOOST_TEST(number_field(number_max)
             == "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0"s);
}

BOOST_AUTO_TEST_CASE(an_id_as_long_as_a_uuid_takes_two_bytes_more) {
  random_source random{1};
  const auto id = random_bytes(random, 56);
  const auto key = string_field(id);
  BOOST_TEST(key.size() == id.size() + 2);
  BOOST_TEST(key.front() == 56);
  BOOST_TEST(key.back() == '\0');
  BOOST_TEST(key.substr(1, id.size()) == id);
}

BOOST_AUTO_TEST_CASE(fields_are_appended_to_what_is_there) {
  std::string key = "x";
  append_uint(key, 300);
  append_str_id(key, "abc");
  append_epoch(key, config, wall_time{3 * config.length}, {});
  BOOST_TEST(key
             == "x\xac\x02\0\x03"
                "abc\0\x03\0"s);
}

// With galaxycache's own cases: some are the seeds of its fuzzer.
BOOST_AUTO_TEST_CASE(strings_that_do_not_decode_say_why) {
  struct row {
    std::string bytes;
    key_error error;
  };
  const row rows[] = {
    {"", key_error::truncated},
    {"\x03"s, key_error::truncated},
    {"\x03"
     "abc"s,
     key_error::truncated},
    {"\x03"
     "ab\0"s,
     key_error::truncated},
    {"\x17"
     "abc\0"s,
     key_error::truncated},
    {"a", key_error::truncated},
    {"\0"s, key_error::truncated},
    {"\xff\xff\xff"s, key_error::truncated},
    // Ten bytes that all say that more will come.
    {std::string(10, '\xff'), key_error::truncated},
    {"\x03"
     "aaaaaaaaaaaaa"s,
     key_error::missing_terminator},
    {"\x02"
     "abc\0"s,
     key_error::missing_terminator},
    {std::string(11, '\xff'), key_error::overflow},
    {std::string(13, '\xff'), key_error::overflow},
    {std::string(10, '\x80') + "\0\0"s, key_error::overflow},
    {std::string(9, '\xff') + "\x02", key_error::overflow},
    // A length of 2^64 - 1, which must not wrap around.
    {std::string(9, '\xff') + "\x01\0"s, key_error::truncated},
    {std::string(9, '\xff') + "\x01", key_error::truncated},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT("row " << &x - rows) {
      BOOST_TEST(decode_str_id(x.bytes) == x.error);
    }
}

BOOST_AUTO_TEST_CASE(numbers_that_do_not_decode_say_why) {
  struct row {
    std::string bytes;
    key_error error;
  };
  const row rows[] = {
    {"", key_error::truncated},
    {"\x03"s, key_error::truncated},
    {"\xff\xff\xff"s, key_error::truncated},
    {std::string(10, '\xff'), key_error::truncated},
    {std::string(9, '\xff') + "\x01", key_error::truncated},
    {"\x03"
     "aaaaaaaaaaaaa"s,
     key_error::missing_terminator},
    {"\xac\x02\x01"s, key_error::missing_terminator},
    {std::string(11, '\xff'), key_error::overflow},
    {std::string(13, '\xff'), key_error::overflow},
    {std::string(9, '\xff') + "\x02\0"s, key_error::overflow},
    {std::string(10, '\x80') + "\0\0"s, key_error::overflow},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT("row " << &x - rows) {
      BOOST_TEST(decode_uint(x.bytes) == x.error);
    }
}

BOOST_AUTO_TEST_CASE(a_number_padded_with_zeros_is_read_as_in_galaxycache) {
  auto rest = "\x83\x80\0\0tail"sv;
  std::uint64_t id = 0;
  BOOST_TEST(consume_uint(rest, id) == key_error::none);
  BOOST_TEST(id == 3u);
  BOOST_TEST(rest == "tail");
}

BOOST_AUTO_TEST_CASE(a_string_read_is_part_of_the_key) {
  const auto key = string_field("abc") + "tail";
  std::string_view rest = key;
  std::string_view id;
  BOOST_TEST(consume_str_id(rest, id) == key_error::none);
  BOOST_TEST(id == "abc");
  BOOST_TEST((id.data() == key.data() + 1));
  BOOST_TEST(rest == "tail");
  // Both arguments may be the same.
  rest = key;
  BOOST_TEST(consume_str_id(rest, rest) == key_error::none);
  BOOST_TEST(rest == "tail");
}

BOOST_AUTO_TEST_CASE(every_number_comes_back) {
  std::vector<std::uint64_t> numbers{0, 100, number_max};
  for (int bit = 0; bit < 64; ++bit)
    for (std::uint64_t around : {-1, 0, 1})
      numbers.push_back((std::uint64_t{1} << bit) + around);
  random_source random{2};
  for (int i = 0; i < 10'000; ++i)
    numbers.push_back(random_number(random));
  for (auto number : numbers) {
    const auto key = number_field(number);
    std::string_view rest = key;
    auto id = ~number;
    BOOST_TEST_REQUIRE(consume_uint(rest, id) == key_error::none);
    BOOST_TEST_REQUIRE(id == number);
    BOOST_TEST_REQUIRE(rest.empty());
  }
}

BOOST_AUTO_TEST_CASE(every_list_of_fields_comes_back) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      struct field {
        bool is_number;
        std::string id;
        std::uint64_t number;
      };
      random_source random{seed};
      std::vector<field> fields(random.below(6));
      key_writer writer;
      for (auto& x : fields) {
        x.is_number = random.below(2) == 0;
        x.id = random_bytes(random,
                            random.below(random.below(5) == 0 ? 500 : 5));
        x.number = random_number(random);
        if (x.is_number)
          writer.uint(x.number);
        else
          writer.str_id(x.id);
      }
      const auto key = writer.take();
      BOOST_TEST(writer.bytes().empty());
      key_reader reader{key};
      for (const auto& x : fields) {
        std::string_view id;
        std::uint64_t number = 0;
        if (x.is_number) {
          reader.uint(number);
          BOOST_TEST_REQUIRE(number == x.number);
        } else {
          reader.str_id(id);
          BOOST_TEST_REQUIRE(id == x.id);
        }
      }
      BOOST_TEST_REQUIRE(reader.finish() == key_error::none);
    }
}

BOOST_AUTO_TEST_CASE(a_field_cut_short_anywhere_is_truncated) {
  random_source random{3};
  for (int i = 0; i < 200; ++i) {
    const auto text = string_field(random_bytes(random, random.below(200)));
    for (std::size_t size = 0; size < text.size(); ++size)
      BOOST_TEST_REQUIRE(decode_str_id(text.substr(0, size))
                         == key_error::truncated);
    BOOST_TEST_REQUIRE(decode_str_id(text) == key_error::none);
    const auto number = number_field(random_number(random));
    for (std::size_t size = 0; size < number.size(); ++size)
      BOOST_TEST_REQUIRE(decode_uint(number.substr(0, size))
                         == key_error::truncated);
    BOOST_TEST_REQUIRE(decode_uint(number) == key_error::none);
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_decode_or_fail) {
  random_source random{4};
  int decoded = 0;
  for (int i = 0; i < 50'000; ++i) {
    auto bytes = random_bytes(random, random.below(16));
    // Often a short length, and null bytes.
    for (auto& byte : bytes)
      if (random.below(3) == 0)
        byte = static_cast<char>(random.below(3));
    const auto text = decode_str_id(bytes);
    BOOST_TEST_REQUIRE((text != key_error::trailing_bytes));
    const auto number = decode_uint(bytes);
    BOOST_TEST_REQUIRE((number != key_error::trailing_bytes));
    if (text == key_error::none) {
      ++decoded;
      std::string_view rest = bytes;
      std::string_view id;
      BOOST_TEST_REQUIRE(consume_str_id(rest, id) == key_error::none);
      BOOST_TEST_REQUIRE(
        bytes.ends_with(std::string{id} + '\0' + std::string{rest}));
    }
  }
  BOOST_TEST(decoded > 1'000);
}

BOOST_AUTO_TEST_CASE(different_lists_of_fields_make_different_keys) {
  BOOST_TEST(string_field("a") + string_field("b") != string_field("ab"));
  BOOST_TEST(string_field("a\0\1b"s) != string_field("a") + string_field("b"));
  BOOST_TEST(string_field("") + string_field("") != string_field(""));
}

BOOST_AUTO_TEST_CASE(a_reader_stops_at_the_first_error) {
  auto key = key_writer{}.str_id("video").uint(42).take();
  std::string_view kind;
  std::uint64_t id = 0;
  BOOST_TEST(key_reader{key}.str_id(kind).uint(id).finish() == key_error::none);
  BOOST_TEST(kind == "video");
  BOOST_TEST(id == 42u);
  BOOST_TEST(key_reader{key}.str_id(kind).finish()
             == key_error::trailing_bytes);
  key.back() = 'x';
  std::uint64_t more = 7;
  key_reader reader{key};
  reader.str_id(kind).uint(more).str_id(kind).uint(more);
  BOOST_TEST(reader.finish() == key_error::missing_terminator);
  BOOST_TEST(reader.rest() == "\x2ax");
  BOOST_TEST(kind == "video");
  BOOST_TEST(more == 7u);
  BOOST_TEST(key_reader{""}.finish() == key_error::none);
  BOOST_TEST(key_reader{""}.uint(more).finish() == key_error::truncated);
}

BOOST_AUTO_TEST_CASE(every_error_has_its_own_sentence) {
  std::vector<std::string_view> sentences;
  for (auto error : {key_error::none, key_error::truncated, key_error::overflow,
                     key_error::missing_terminator, key_error::trailing_bytes})
    sentences.push_back(describe(error));
  std::sort(sentences.begin(), sentences.end());
  BOOST_TEST(
    (std::unique(sentences.begin(), sentences.end()) == sentences.end()));
  BOOST_TEST(describe(static_cast<key_error>(99)) == "unknown error");
}

// -- jitter -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_jitter_of_a_string_is_galaxycaches) {
  const auto abc = string_jitter("abc");
  BOOST_TEST(abc.high == 0xba7816bfu);
  BOOST_TEST(abc.low == 0x8f01cfea414140deu);
  BOOST_TEST((abc.within(config.length) == 82'485'891'302ns));
  const auto empty = string_jitter("");
  BOOST_TEST(empty.high == 0xe3b0c442u);
  BOOST_TEST(empty.low == 0x98fc1c149afbf4c8u);
  BOOST_TEST((empty.within(config.length) == 328'145'653'627ns));
  BOOST_TEST((abc == string_jitter("abc")));
  BOOST_TEST((abc != empty));
}

BOOST_AUTO_TEST_CASE(the_jitter_of_a_number_is_galaxycaches) {
  const auto jitter = integer_jitter(config, 12'345);
  BOOST_TEST(jitter.high == 0u);
  BOOST_TEST(jitter.low == 12'345u * 330'999'999'991u);
  BOOST_TEST((jitter.within(config.length) == 271'000'372'619ns));
  const auto largest = integer_jitter(config, number_max);
  BOOST_TEST(largest.high == 0x4d11232df6u);
  BOOST_TEST(largest.low == 0xffffffb2eedcd209u);
  BOOST_TEST((largest.within(config.length) == 352'268'972'728ns));
  BOOST_TEST((integer_jitter(config, 0) == key_jitter{}));
}

BOOST_AUTO_TEST_CASE(the_jitter_stays_within_any_length) {
  random_source random{5};
  for (int i = 0; i < 10'000; ++i) {
    const key_jitter jitter{random.next(), random.next()};
    const std::chrono::nanoseconds length{1 + random_number(random) / 2};
    BOOST_TEST_REQUIRE((jitter.within(length) >= 0ns));
    BOOST_TEST_REQUIRE((jitter.within(length) < length));
  }
  const key_jitter most{number_max, number_max};
  BOOST_TEST((most.within(1ns) == 0ns));
  BOOST_TEST((most.within(3ns) == 0ns));
  BOOST_TEST((most.within(7ns) == 3ns));
  BOOST_TEST((key_jitter{1, 0}.within(10ns) == 6ns));
  // No such lengths.
  BOOST_TEST((most.within(0ns) == 0ns));
  BOOST_TEST((most.within(-1ns) == 0ns));
  BOOST_TEST((most.within(std::chrono::nanoseconds::min()) == 0ns));
}

BOOST_AUTO_TEST_CASE(ids_next_to_each_other_change_epochs_far_apart) {
  random_source random{6};
  for (int i = 0; i < 1'000; ++i) {
    const auto id = random.next() / 2;
    const auto apart = integer_jitter(config, id).within(config.length)
                       - integer_jitter(config, id + 5).within(config.length);
    BOOST_TEST_REQUIRE((std::chrono::abs(apart) >= 10ms));
  }
}

// galaxycache's Monte Carlo test, in its short form.
BOOST_AUTO_TEST_CASE(the_jitter_of_numbers_spreads_over_the_whole_epoch) {
  random_source random{7};
  std::array<int, 40> buckets{}; // of 10 s
  for (int i = 0; i < 100'000; ++i) {
    const auto jitter = integer_jitter(config, random.below(1'000'000'000));
    ++buckets.at(static_cast<std::size_t>(jitter.within(config.length) / 10s));
  }
  // The last one is 3 s shorter.
  const auto [least, most] = std::minmax_element(buckets.begin(),
                                                 buckets.end() - 1);
  BOOST_TEST(*most <= 1.2 * *least);
  BOOST_TEST(buckets.back() > *least / 2);
}

// -- epochs -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_epoch_is_the_one_galaxycache_computes) {
  auto since_2020 = config;
  since_2020.zero = wall_time{1'577'836'800s};
  const wall_time now{1'717'171'717s};
  BOOST_TEST(epoch_number(since_2020, now, {}) == 350'969u);
  BOOST_TEST(epoch_number(since_2020, now, string_jitter("abc")) == 350'969u);
  BOOST_TEST(epoch_number(since_2020, now, integer_jitter(since_2020, 12'345))
             == 350'970u);
}

BOOST_AUTO_TEST_CASE(an_epoch_ends_as_much_earlier_as_the_jitter_says) {
  const auto early = 82'485'891'302ns;
  const auto jitter = string_jitter("abc");
  for (std::uint64_t n : {0, 1, 2, 1'000'000}) {
    const auto end = (n + 1) * config.length - early;
    BOOST_TEST(epoch_at(end - 1ns, jitter) == n);
    BOOST_TEST(epoch_at(end, jitter) == n + 1);
    BOOST_TEST(epoch_at((n + 1) * config.length - 1ns) == n);
    BOOST_TEST(epoch_at((n + 1) * config.length) == n + 1);
  }
}

// Go's division rounds towards zero, and the number is converted as it is.
BOOST_AUTO_TEST_CASE(before_zero_epochs_are_numbered_as_galaxycache_does) {
  const auto length = config.length;
  BOOST_TEST(epoch_at(0ns) == 0u);
  BOOST_TEST(epoch_at(-1ns) == 0u);
  BOOST_TEST(epoch_at(-length + 1ns) == 0u);
  BOOST_TEST(epoch_at(-length) == number_max);
  BOOST_TEST(epoch_at(-length - 1ns) == number_max);
  BOOST_TEST(epoch_at(-2 * length + 1ns) == number_max);
  BOOST_TEST(epoch_at(-2 * length) == number_max - 1);
  const auto jitter = string_jitter("abc");
  BOOST_TEST(epoch_at(-length, jitter) == 0u);
  BOOST_TEST(epoch_at(-2 * length, jitter) == number_max);
  std::string key;
  append_epoch(key, config, wall_time{-length}, {});
  BOOST_TEST(key == number_field(number_max));
}

// As Go's time.Sub does, and its addition.
BOOST_AUTO_TEST_CASE(times_too_far_apart_do_not_overflow) {
  auto first = config;
  first.zero = wall_time::min();
  BOOST_TEST(epoch_number(first, wall_time::max(), {}) == 23'232'675u);
  BOOST_TEST(epoch_number(first, wall_time::max(), string_jitter("abc"))
             == 18'446'744'073'686'318'942u);
  auto last = config;
  last.zero = wall_time::max();
  BOOST_TEST(epoch_number(last, wall_time::min(), {})
             == 18'446'744'073'686'318'941u);
  BOOST_TEST(epoch_number(last, wall_time::min(), string_jitter("abc"))
             == 18'446'744'073'686'318'942u);
}

BOOST_AUTO_TEST_CASE(without_a_length_there_is_only_epoch_zero) {
  auto none = config;
  for (auto length : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    none.length = length;
    for (auto now : {wall_time{}, wall_time::min(), wall_time::max()})
      BOOST_TEST(epoch_number(none, now, string_jitter("abc")) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_key_with_an_epoch_changes_once_in_each) {
  const auto key_at = [](std::chrono::nanoseconds since_zero) {
    return key_writer{}
      .str_id("video")
      .uint(12'345)
      .epoch(config, wall_time{since_zero}, integer_jitter(config, 12'345))
      .take();
  };
  int changes = 0;
  auto last = key_at(0s);
  for (auto t = 0s; t < 10 * config.length; t += 1s) {
    const auto key = key_at(t);
    changes += key != last ? 1 : 0;
    last = key;
  }
  BOOST_TEST(changes == 10);
  BOOST_TEST(
    last == string_field("video") + number_field(12'345) + number_field(10));
}

BOOST_AUTO_TEST_CASE(the_defaults_are_the_recommended_primes) {
  const epoch_config defaults;
  BOOST_TEST((defaults.zero == wall_time{}));
  BOOST_TEST((defaults.length == config.length));
  BOOST_TEST(defaults.integer_multiplier == config.integer_multiplier);
  BOOST_TEST(defaults.integer_multiplier
             < static_cast<std::uint64_t>(defaults.length.count()));
}

BOOST_AUTO_TEST_SUITE_END()

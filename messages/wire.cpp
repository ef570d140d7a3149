#include "galaxycache/messages/wire.hpp"

#include "galaxycache/messages/wire.pb.h"

#include <algorithm>
#include <limits>

namespace galaxycache::wire {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};

// Compilers before C++20's rules for aggregates need it said.
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

void write(const greeting& x, pb::Hello& out) {
  out.set_version(x.version);
  out.set_oldest_version(x.oldest_version);
  out.set_features(x.features);
  out.set_id(x.id);
  out.set_to(x.to);
  out.set_incarnation(x.incarnation);
  out.set_ring_digest(x.ring_digest);
  out.set_attempt(x.attempt);
}

template <class T>
T read_greeting(const pb::Hello& in) {
  T x;
  x.version = in.version();
  x.oldest_version = in.oldest_version();
  x.features = in.features();
  x.id = in.id();
  x.to = in.to();
  x.incarnation = in.incarnation();
  x.ring_digest = in.ring_digest();
  x.attempt = in.attempt();
  return x;
}

void write(const fetch_batch& x, pb::FetchBatch& out) {
  out.set_ring_digest(x.ring_digest);
  out.set_number(x.number);
  for (auto& name : x.galaxies)
    out.add_galaxies(name);
  for (auto& item : x.fetches) {
    auto& to = *out.add_fetches();
    to.set_id(item.id);
    to.set_galaxy(item.galaxy);
    to.set_key(item.key);
    to.set_mode(static_cast<std::uint32_t>(item.mode));
    auto budget = duration_cast<microseconds>(item.budget).count();
    to.set_budget_us(static_cast<std::uint64_t>(std::max(budget, 0L)));
    to.set_gutter(item.gutter);
  }
}

std::optional<message> read(pb::FetchBatch& in) {
  auto most = static_cast<int>(batch_items_max);
  if (in.fetches_size() > most || in.galaxies_size() > most)
    return std::nullopt;
  fetch_batch x;
  x.ring_digest = in.ring_digest();
  x.number = in.number();
  for (auto& name : *in.mutable_galaxies())
    x.galaxies.push_back(std::move(name));
  // A budget is at most a year: no arithmetic with it overflows.
  constexpr std::uint64_t longest = 365ULL * 24 * 3600 * 1'000'000;
  for (auto& from : *in.mutable_fetches()) {
    if (from.galaxy() >= x.galaxies.size())
      return std::nullopt;
    auto& item = x.fetches.emplace_back();
    item.id = from.id();
    item.galaxy = from.galaxy();
    item.key = std::move(*from.mutable_key());
    // Servers never forward, whatever they are asked.
    if (from.mode() == static_cast<std::uint32_t>(fetch_mode::peek))
      item.mode = fetch_mode::peek;
    item.budget = microseconds{
      static_cast<std::int64_t>(std::min(from.budget_us(), longest))};
    item.gutter = from.gutter();
  }
  return x;
}

void write(const fetched_batch& x, pb::FetchedBatch& out) {
  out.set_heard(x.heard);
  for (auto& item : x.fetched) {
    auto& to = *out.add_fetched();
    to.set_id(item.id);
    to.set_code(static_cast<std::uint32_t>(item.code));
    to.set_reason(item.reason);
    to.set_body(item.body);
    to.set_expiry_ns(item.expiry.time_since_epoch().count());
  }
}

std::optional<message> read(pb::FetchedBatch& in) {
  if (in.fetched_size() > static_cast<int>(batch_items_max))
    return std::nullopt;
  fetched_batch x;
  x.heard = in.heard();
  for (auto& from : *in.mutable_fetched()) {
    auto& item = x.fetched.emplace_back();
    item.id = from.id();
    item.code = errc_from(
      static_cast<std::uint8_t>(std::min<std::uint32_t>(from.code(), 0xff)));
    item.reason = std::move(*from.mutable_reason());
    item.body = from.body();
    item.expiry = wall_time{nanoseconds{from.expiry_ns()}};
  }
  return x;
}

} // namespace

std::string encode(const message& x) {
  pb::Header header;
  std::visit(
    overloaded{
      [](const unknown&) {},
      [&](const hello& y) { write(y, *header.mutable_hello()); },
      [&](const welcome& y) { write(y, *header.mutable_welcome()); },
      [&](const fetch_batch& y) { write(y, *header.mutable_fetches()); },
      [&](const fetched_batch& y) { write(y, *header.mutable_fetched()); },
      [&](const ping& y) { header.mutable_ping()->set_number(y.number); },
      [&](const pong& y) { header.mutable_pong()->set_number(y.number); },
      [&](const goodbye&) { header.mutable_goodbye(); },
    },
    x);
  return header.SerializeAsString();
}

std::optional<message> decode(std::string_view bytes) {
  pb::Header header;
  if (bytes.size() > std::numeric_limits<int>::max()
      || !header.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  switch (header.what_case()) {
    case pb::Header::kHello:
      return read_greeting<hello>(header.hello());
    case pb::Header::kWelcome:
      return read_greeting<welcome>(header.welcome());
    case pb::Header::kFetches:
      return read(*header.mutable_fetches());
    case pb::Header::kFetched:
      return read(*header.mutable_fetched());
    case pb::Header::kPing:
      return ping{header.ping().number()};
    case pb::Header::kPong:
      return pong{header.pong().number()};
    case pb::Header::kGoodbye:
      return goodbye{};
    case pb::Header::WHAT_NOT_SET:
      break;
  }
  return unknown{};
}

} // namespace galaxycache::wire

#include "galaxycache/messages/wire.hpp"

#include "galaxycache/messages/wire.pb.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <cstddef>
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

/// A header whose parts need no allocations of their own: those of a batch of
/// a hundred fetches fit on the stack.
class header_arena {
public:
  pb::Header& header() noexcept {
    return *header_;
  }

private:
  static google::protobuf::ArenaOptions options_of(char* first,
                                                   std::size_t size) {
    google::protobuf::ArenaOptions result;
    result.initial_block = first;
    result.initial_block_size = size;
    return result;
  }

  alignas(std::max_align_t) char first_[12 * 1024];
  google::protobuf::Arena arena_{options_of(first_, sizeof(first_))};
  pb::Header* header_
    = google::protobuf::Arena::CreateMessage<pb::Header>(&arena_);
};

void write(const greeting& x, pb::Hello& out) {
  out.set_version(x.version);
  out.set_oldest_version(x.oldest_version);
  out.set_features(x.features);
  out.set_id(x.id);
  out.set_to(x.to);
  out.set_incarnation(x.incarnation);
  out.set_ring_digest(x.ring_digest);
  out.set_attempt(x.attempt);
  out.set_window_bytes(x.window_bytes);
  out.set_piece_bytes(x.piece_bytes);
  out.set_sent(x.sent);
  out.set_ring_kind(x.ring_kind);
  out.set_segments(x.segments);
  out.set_assembly(x.assembly);
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
  x.window_bytes = in.window_bytes();
  x.piece_bytes = in.piece_bytes();
  x.sent = in.sent();
  x.ring_kind = in.ring_kind();
  x.segments = in.segments();
  x.assembly = in.assembly();
  return x;
}

void write(const fetch_batch& x, pb::FetchBatch& out) {
  out.set_ring_digest(x.ring_digest);
  out.set_number(x.number);
  for (auto& name : x.galaxies)
    out.add_galaxies(name);
  out.mutable_fetches()->Reserve(static_cast<int>(x.fetches.size()));
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
  x.fetches.reserve(static_cast<std::size_t>(in.fetches_size()));
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
  out.set_sent(x.sent);
  out.mutable_fetched()->Reserve(static_cast<int>(x.fetched.size()));
  for (auto& item : x.fetched) {
    auto& to = *out.add_fetched();
    to.set_id(item.id);
    to.set_code(static_cast<std::uint32_t>(item.code));
    if (!item.reason.empty()) // it would allocate one
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
  x.sent = in.sent();
  x.fetched.reserve(static_cast<std::size_t>(in.fetched_size()));
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

void write(const piece& x, pb::Piece& out) {
  out.set_id(x.id);
  out.set_size(x.size);
  out.set_offset(x.offset);
  out.set_expiry_ns(x.expiry.time_since_epoch().count());
  out.set_sent(x.sent);
  out.set_assembly(x.assembly);
  out.set_number(x.number);
}

std::optional<message> read(const pb::Piece& in) {
  return piece{in.id(),     in.size(),
               in.offset(), wall_time{nanoseconds{in.expiry_ns()}},
               in.sent(),   in.assembly(),
               in.number()};
}

void write(std::uint64_t number, std::uint64_t bytes, pb::Ping& out) {
  out.set_number(number);
  out.set_bytes(bytes);
}

std::string name_of_ring(std::uint32_t kind, std::uint32_t segments) {
  switch (static_cast<placement_kind>(kind - 1)) {
    case placement_kind::rendezvous:
      return "rendezvous hashing";
    case placement_kind::hash_ring_crc32:
      return "a crc32 ring of " + std::to_string(segments) + " segments";
    case placement_kind::hash_ring_fnv1a:
      return "an fnv1a ring of " + std::to_string(segments) + " segments";
  }
  return "a ring of kind " + std::to_string(kind);
}

} // namespace

void tell_ring(const placement_options& own, greeting& x) {
  x.ring_kind = static_cast<std::uint32_t>(own.kind) + 1;
  x.segments = own.kind == placement_kind::rendezvous ? 0 : own.segments;
}

std::optional<std::string> other_ring(const placement_options& own,
                                      const greeting& x) {
  greeting ours;
  tell_ring(own, ours);
  if (x.ring_kind == 0
      || (x.ring_kind == ours.ring_kind && x.segments == ours.segments))
    return std::nullopt;
  return "finds the owners of keys by " + name_of_ring(x.ring_kind, x.segments)
         + " and we by " + name_of_ring(ours.ring_kind, ours.segments);
}

std::string encode(const message& x) {
  header_arena arena;
  auto& header = arena.header();
  std::visit(
    overloaded{
      [](const unknown&) {},
      [&](const hello& y) { write(y, *header.mutable_hello()); },
      [&](const welcome& y) { write(y, *header.mutable_welcome()); },
      [&](const fetch_batch& y) { write(y, *header.mutable_fetches()); },
      [&](const fetched_batch& y) { write(y, *header.mutable_fetched()); },
      [&](const ping& y) { write(y.number, y.taken, *header.mutable_ping()); },
      [&](const pong& y) { write(y.number, y.sent, *header.mutable_pong()); },
      [&](const goodbye&) { header.mutable_goodbye(); },
      [&](const piece& y) { write(y, *header.mutable_piece()); },
      [&](const taken& y) { header.mutable_taken()->set_bytes(y.bytes); },
    },
    x);
  return header.SerializeAsString();
}

std::optional<message> decode(std::string_view bytes) {
  header_arena arena;
  auto& header = arena.header();
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
      return ping{header.ping().number(), header.ping().bytes()};
    case pb::Header::kPong:
      return pong{header.pong().number(), header.pong().bytes()};
    case pb::Header::kGoodbye:
      return goodbye{};
    case pb::Header::kPiece:
      return read(header.piece());
    case pb::Header::kTaken:
      return taken{header.taken().bytes()};
    case pb::Header::WHAT_NOT_SET:
      break;
  }
  return unknown{};
}

} // namespace galaxycache::wire

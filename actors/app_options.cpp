#include "galaxycache/actors/app_options.hpp"

#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/caf/tls_options.hpp"

#include <array>
#include <utility>

namespace galaxycache {

namespace {

template <class T, std::size_t N>
using words = std::array<std::pair<std::string_view, T>, N>;

constexpr words<placement_kind, 3> placements{{
  {"rendezvous", placement_kind::rendezvous},
  {"hash-ring-crc32", placement_kind::hash_ring_crc32},
  {"hash-ring-fnv1a", placement_kind::hash_ring_fnv1a},
}};

constexpr words<log_level, 5> levels{{
  {"off", log_level::off},
  {"error", log_level::error},
  {"warning", log_level::warning},
  {"info", log_level::info},
  {"debug", log_level::debug},
}};

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw exception{
    failure{errc::invalid_argument, "--galaxycache." + name + ": " + why}};
}

template <class T, std::size_t N>
T choose(const std::string& name, const std::string& text,
         const words<T, N>& known) {
  std::string all;
  for (auto& [word, meaning] : known) {
    if (text == word)
      return meaning;
    all += (all.empty() ? "" : ", ") + std::string{word};
  }
  refuse(name, "'" + text + "' is none of " + all);
}

peer_info parse_peer(const std::string& text) {
  auto split = text.find('=');
  if (split == 0 || split == std::string::npos)
    refuse("peers", "'" + text + "' is no peer; expected id=address, such as "
                      + "node-1=caf://127.0.0.1:4711");
  peer_info result{text.substr(0, split), text.substr(split + 1), 1};
  std::string why;
  if (!parse_uri(result.uri, why))
    refuse("peers", why);
  return result;
}

} // namespace

void add_options(caf::actor_system_config& cfg) {
  option_group{cfg, "galaxycache"}
    .add<std::string>("self", "id of this process in the ring")
    .add<std::string>("listen", "where to serve peers, scheme://host:port")
    .add<bool>("insecure", "allow caf:// addresses that are not on loopback")
    .add<std::vector<std::string>>("peers", "members of the ring, id=address")
    .add<std::string>("placement",
                      "rendezvous, hash-ring-crc32 or hash-ring-fnv1a")
    .add<std::size_t>("segments", "points of a member on a hash ring")
    .add<caf::timespan>("heartbeat-interval",
                        "how often peers are asked for a sign of life")
    .add<caf::timespan>("heartbeat-timeout",
                        "silence after which a peer is down")
    .add<caf::timespan>("stop-grace",
                        "how long stopping waits for loads in progress")
    .add<std::string>("log-level", "off, error, warning, info or debug");
  add_tls_options(cfg);
}

app_options options_from(const caf::actor_system_config& cfg) {
  app_options result;
  auto& u = result.universe;
  auto get = [&](const std::string& name, auto standard) {
    return option_or(cfg, "galaxycache." + name, std::move(standard));
  };
  u.self = get("self", u.self);
  u.listen = get("listen", u.listen);
  u.insecure = get("insecure", u.insecure);
  u.placement.kind = choose("placement",
                            get("placement", std::string{"rendezvous"}),
                            placements);
  auto segments = get("segments", std::size_t{u.placement.segments});
  if (segments == 0 || segments > segments_max)
    refuse("segments", "must be from 1 to " + std::to_string(segments_max));
  u.placement.segments = static_cast<std::uint32_t>(segments);
  u.peers.heartbeat_interval = get("heartbeat-interval",
                                   u.peers.heartbeat_interval);
  u.peers.heartbeat_timeout = get("heartbeat-timeout",
                                  u.peers.heartbeat_timeout);
  u.stop_grace = get("stop-grace", u.stop_grace);
  u.verbosity = choose("log-level", get("log-level", std::string{"warning"}),
                       levels);
  for (auto& text : get("peers", std::vector<std::string>{}))
    result.peers.push_back(parse_peer(text));
  if (u.self.empty())
    refuse("self", "is needed: the id of this process in the ring");
  if (auto why = validate(u.peers))
    refuse("heartbeat-interval", *why);
  if (u.stop_grace < std::chrono::nanoseconds{0})
    refuse("stop-grace", "must not be negative");
  std::string why;
  if (!u.listen.empty() && !parse_uri(u.listen, why))
    refuse("listen", why);
  return result;
}

} // namespace galaxycache

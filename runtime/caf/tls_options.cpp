#include "galaxycache/runtime/caf/tls_options.hpp"

#include "galaxycache/runtime/caf/startup.hpp"

namespace galaxycache {

#if GALAXYCACHE_CAF_1

void add_tls_options(caf::actor_system_config& cfg) {
  option_group{cfg, "caf.openssl"}
    .add<std::string>("certificate", "file with our certificate (PEM)")
    .add<std::string>("key", "file with its private key (PEM)")
    .add<std::string>("passphrase", "what the private key is encrypted with")
    .add<std::string>("cafile", "file with the CAs of our peers (PEM)")
    .add<std::string>("capath", "folder with the CAs of our peers");
}

tls_files tls_files_of(const caf::actor_system_config& cfg) {
  auto get = [&](const std::string& name) {
    return caf_option_or(cfg, "openssl." + name, std::string{});
  };
  return {get("certificate"), get("key"), get("passphrase"), get("cafile"),
          get("capath")};
}

#else

void add_tls_options(caf::actor_system_config&) {
  // nop
}

tls_files tls_files_of(const caf::actor_system_config& cfg) {
  // Who sets a member, as CAF's manual says, sets no option.
  auto get = [&](const std::string& member, const std::string& name) {
    return member.empty() ? caf_option_or(cfg, "openssl." + name, member)
                          : member;
  };
  return {get(cfg.openssl_certificate, "certificate"),
          get(cfg.openssl_key, "key"),
          get(cfg.openssl_passphrase, "passphrase"),
          get(cfg.openssl_cafile, "cafile"), get(cfg.openssl_capath, "capath")};
}

#endif

void set_tls_files(caf::actor_system_config& cfg, const tls_files& files) {
  set_caf_option(cfg, "openssl.certificate", files.certificate);
  set_caf_option(cfg, "openssl.key", files.key);
  set_caf_option(cfg, "openssl.passphrase", files.passphrase);
  set_caf_option(cfg, "openssl.cafile", files.cafile);
  set_caf_option(cfg, "openssl.capath", files.capath);
}

} // namespace galaxycache

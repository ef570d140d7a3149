#include "galaxycache/actors/backend.hpp"

#include <exception>

namespace galaxycache {

load_result run_backend(const backend::load_function& f, std::string_view key,
                        const load_context& context) noexcept {
  try {
    auto result = f(key, context);
    // A typed backend's codec has failed, not the backend.
    if (!result.failed() || result.error().code == errc::codec_error)
      return result;
    auto why = result.error();
    // Whatever a backend says, its failure is a backend failure.
    return failure{errc::backend_failed, why.reason.empty()
                                           ? std::string{name_of(why.code)}
                                           : std::move(why.reason)};
  } catch (const std::exception& thrown) {
    return failure{errc::backend_failed, thrown.what()};
  } catch (...) {
    return failure{errc::backend_failed, "an unknown exception"};
  }
}

} // namespace galaxycache

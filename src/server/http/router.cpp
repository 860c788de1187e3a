#include "server/http/router.h"

namespace r1::server {

const Route* Router::find(const std::string& method, const std::string& path, std::string& rest,
                          std::string& allowed) const {
  const Route* best = nullptr;
  size_t best_length = 0;
  for (const Route& route : routes_) {
    const bool tail = route.path.ends_with('*');
    const std::string_view stem = std::string_view(route.path).substr(0, route.path.size() - (tail ? 1 : 0));
    if (tail ? !path.starts_with(stem) : path != stem) continue;
    const bool fits = method == route.method || (method == "HEAD" && route.method == "GET");
    if (!fits) {
      if (allowed.find(route.method) == std::string::npos)
        allowed += (allowed.empty() ? "" : ", ") + route.method;
      continue;
    }
    const size_t length = tail ? stem.size() : stem.size() + 1'000'000;
    if (best != nullptr && length <= best_length) continue;
    best = &route;
    best_length = length;
    rest = tail ? path.substr(stem.size()) : "";
  }
  return best;
}

}  // namespace r1::server

#include "cli/model_location.h"

#include <cstdlib>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"

namespace r1::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_hub_name(const std::string& model) {
  if (model.ends_with(".gguf") || model.starts_with("/") || model.starts_with(".")) return false;
  try {
    HubReference::parse(model);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

ModelCache default_model_cache() {
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return ModelCache(std::filesystem::path(cache) / "r1");
  }
  const std::string home = variable("HOME");
  if (home.empty())
    throw_error(ErrorKind::invalid_argument, "no folder for models: neither XDG_CACHE_HOME nor HOME is set");
  return ModelCache(std::filesystem::path(home) / ".cache" / "r1");
}

HubOptions hub_options() {
  HubOptions options;
  if (std::string endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
      throw_error(ErrorKind::invalid_argument, "HF_ENDPOINT: expected http:// or https://, found '{}'",
                  endpoint);
    }
    options.endpoint = endpoint;
  }
  options.token = variable("HF_TOKEN");
  return options;
}

CachedModel pull_model(const HubReference& reference, int connections) {
  DownloadOptions options;
  options.connections = connections;
  const InterruptGuard guard;
  options.cancelled = [] { return InterruptGuard::interrupted(); };
  ProgressBar bar(reference.to_string(), "B");
  CachedModel model =
      default_model_cache().pull(reference, hub_options(), options,
                                 [&](const PullProgress& p) { bar.update(p.bytes, p.total, p.file); });
  bar.finish();
  return model;
}

std::filesystem::path locate_or_pull_model(const std::string& model) {
  if (!std::filesystem::exists(model) && is_hub_name(model)) {
    const HubReference reference = HubReference::parse(model);
    const auto cached = default_model_cache().find(reference);
    return cached ? cached->path : pull_model(reference, DownloadOptions().connections).path;
  }
  return locate_model(model);
}

std::filesystem::path locate_model(const std::string& model) {
  if (std::filesystem::exists(model)) return model;
  const bool looks_like_path = model.ends_with(".gguf") || model.starts_with("/") || model.starts_with(".");
  if (!looks_like_path) {
    HubReference reference;
    try {
      reference = HubReference::parse(model);
    } catch (const Error&) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: no such file or directory, and no hub name (OWNER/NAME[:QUANT])", model);
    }
    if (const auto cached = default_model_cache().find(reference)) return cached->path;
    throw_error(ErrorKind::invalid_argument, "{}: not here; `r1 pull {}` downloads it", model, model);
  }
  throw_error(ErrorKind::io, "{}: no such file or directory", model);
}

}  // namespace r1::cli

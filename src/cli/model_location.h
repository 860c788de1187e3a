// Where a model named on the command line lies: a path, or a model pulled from a hub.
#pragma once

#include <filesystem>
#include <string>

#include "formats/model_cache.h"

namespace r1::cli {

/// The folder of pulled models: $XDG_CACHE_HOME/r1, else ~/.cache/r1.
ModelCache default_model_cache();

/// The hub as the usual variables say: HF_ENDPOINT (a mirror), HF_TOKEN.
HubOptions hub_options();

/// A .gguf file or hub directory. `model` is a path, or OWNER/NAME[:QUANT] that was pulled. Throws
/// Error(invalid_argument) that says what to do when it is neither.
std::filesystem::path locate_model(const std::string& model);

/// Downloads a model from the hub and shows how far it is; nothing is downloaded twice. Ctrl-C stops it.
CachedModel pull_model(const HubReference& reference, int connections);

/// The same as locate_model, but a hub name that is not here is pulled.
std::filesystem::path locate_or_pull_model(const std::string& model);

}  // namespace r1::cli

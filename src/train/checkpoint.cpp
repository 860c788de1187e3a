#include "train/checkpoint.h"

#include <fmt/format.h>

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "formats/safetensors.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& output) {
  return output / "checkpoints";
}

// The .json files, newest first.
std::vector<fs::path> list(const fs::path& output) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(output), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".json")) files.push_back(entry.path());
  }
  std::sort(files.rbegin(), files.rend());
  return files;
}

fs::path weights_of(fs::path json) {
  return json.replace_extension(".safetensors");
}

void remove_checkpoint(const fs::path& json) {
  std::error_code error;
  fs::remove(json, error);  // first: what is left then does not count
  fs::remove(weights_of(json), error);
}

// Calls body(name, bytes) for all that is kept.
template <typename Body>
void for_each_array(const ParameterStore& store, Optimiser& optimiser, const Body& body) {
  for (const Parameter& parameter : store.all()) {
    body("weights/" + parameter.name,
         std::span<std::byte>(reinterpret_cast<std::byte*>(parameter.values),
                              static_cast<size_t>(parameter.count) * sizeof(float)));
  }
  for (const StateArray& array : optimiser.state()) body(array.name, array.bytes);
}

}  // namespace

std::string file_sha256(const fs::path& path) {
  // Read, not mapped: a checkpoint's pages would stand beside all that a run holds and be its peak of memory.
  std::ifstream file(path, std::ios::binary);
  if (!file) throw_error(ErrorKind::io, "{}: cannot open", path.string());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(size_t{1} << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    EVP_DigestUpdate(digest.get(), buffer.data(), static_cast<size_t>(file.gcount()));
  }
  if (!file.eof()) throw_error(ErrorKind::io, "{}: cannot read", path.string());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  EVP_DigestFinal_ex(digest.get(), bytes, &count);
  std::string text;
  for (unsigned int i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

void write_checkpoint(const fs::path& output, const RunState& state, const ParameterStore& store,
                      Optimiser& optimiser, int64_t keep) {
  const fs::path folder = folder_of(output);
  fs::create_directories(folder);
  const fs::path json = folder / fmt::format("step-{:08}.json", state.step);
  remove_checkpoint(json);
  SafetensorsWriter writer(weights_of(json));
  for_each_array(store, optimiser, [&](const std::string& name, std::span<std::byte> bytes) {
    const auto count = static_cast<int64_t>(bytes.size());
    writer.declare_tensor(name, DType::i8, {&count, 1});
  });
  for_each_array(store, optimiser,
                 [&](const std::string&, std::span<std::byte> bytes) { writer.append(bytes); });
  writer.finish();
  nlohmann::json text = {{"format", 1},
                         {"step", state.step},
                         {"epoch", state.epoch},
                         {"batch", state.batch},
                         {"tokens", state.tokens},
                         {"loss_mean", state.loss_mean},
                         {"loss_variance", state.loss_variance},
                         {"loss_count", state.loss_count},
                         {"best_loss", state.best_loss},
                         {"best_step", state.best_step},
                         {"evaluations_since_best", state.evaluations_since_best},
                         {"steps", state.steps},
                         {"drops_rest", state.drops_rest},
                         {"seconds", state.seconds},
                         {"fingerprint", state.fingerprint},
                         {"settings", state.settings},
                         {"bytes", fs::file_size(weights_of(json))},
                         {"sha256", file_sha256(weights_of(json))}};
  OutputFile file(json);
  file.write(text.dump(1) + "\n");
  file.finish();
  const std::vector<fs::path> files = list(output);
  for (size_t i = static_cast<size_t>(std::max<int64_t>(1, keep)); i < files.size(); ++i)
    remove_checkpoint(files[i]);
}

std::optional<fs::path> find_checkpoint(const fs::path& output,
                                        const std::function<void(const std::string&)>& remark) {
  for (const fs::path& json : list(output)) {
    try {
      const nlohmann::json text = read_json(json);
      const std::string found = file_sha256(weights_of(json));
      if (found == text.at("sha256").get<std::string>()) return json;
      if (remark) remark(fmt::format("{}: damaged (its SHA-256 differs): passed over", json.string()));
    } catch (const std::exception& error) {
      if (remark) remark(fmt::format("{}: passed over: {}", json.string(), error.what()));
    }
  }
  return std::nullopt;
}

bool has_checkpoints(const fs::path& output) {
  return !list(output).empty();
}

void remove_checkpoints(const fs::path& output) {
  for (const fs::path& json : list(output)) remove_checkpoint(json);
}

RunState read_run_state(const fs::path& json) {
  RunState state;
  try {
    const nlohmann::json text = read_json(json);
    if (text.at("format").get<int>() != 1) {
      throw_error(ErrorKind::unsupported, "{}: format: expected 1, found {}", json.string(),
                  text.at("format").get<int>());
    }
    text.at("step").get_to(state.step);
    text.at("epoch").get_to(state.epoch);
    text.at("batch").get_to(state.batch);
    text.at("tokens").get_to(state.tokens);
    text.at("loss_mean").get_to(state.loss_mean);
    state.loss_variance = text.value("loss_variance", 0.0);  // checkpoints of before had none
    text.at("loss_count").get_to(state.loss_count);
    text.at("best_loss").get_to(state.best_loss);
    text.at("best_step").get_to(state.best_step);
    text.at("evaluations_since_best").get_to(state.evaluations_since_best);
    state.steps = text.value("steps", int64_t{0});  // nor these two
    state.drops_rest = text.value("drops_rest", true);
    text.at("seconds").get_to(state.seconds);
    text.at("fingerprint").get_to(state.fingerprint);
    text.at("settings").get_to(state.settings);
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::bad_file, "{}: {}", json.string(), error.what());
  }
  return state;
}

RunState read_checkpoint(const fs::path& json, ParameterStore& store, Optimiser& optimiser) {
  RunState state = read_run_state(json);
  const SafetensorsFile file = SafetensorsFile::open(weights_of(json));
  for_each_array(store, optimiser, [&](const std::string& name, std::span<std::byte> bytes) {
    const TensorView* tensor = file.find(name);
    if (tensor == nullptr || tensor->bytes != bytes.size()) {
      throw_error(ErrorKind::bad_file,
                  "{}: '{}': expected {} bytes, found {}; was another model trained here?",
                  weights_of(json).string(), name, bytes.size(),
                  tensor == nullptr ? "none" : std::to_string(tensor->bytes));
    }
    std::memcpy(bytes.data(), tensor->data, bytes.size());
  });
  return state;
}

}  // namespace r1

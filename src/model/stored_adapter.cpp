#include "model/stored_adapter.h"

#include "base/error.h"
#include "model/adapter_modules.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

// PEFT's own name of a tensor without the prefix, and without the name of the adapter that some files have.
std::string peft_name(const std::string& name) {
  if (!name.starts_with(kPeftPrefix)) return name;
  std::string inner = name.substr(std::string_view(kPeftPrefix).size());
  constexpr std::string_view kDefault = ".default";
  for (const std::string_view part : {".lora_A", ".lora_B", ".lora_magnitude_vector"}) {
    const size_t at = inner.find(std::string(part) + std::string(kDefault));
    if (at != std::string::npos) inner.erase(at + part.size(), kDefault.size());
  }
  return inner;
}

}  // namespace

StoredAdapter StoredAdapter::open(const fs::path& path) {
  StoredAdapter adapter;
  if (fs::is_regular_file(path)) {
    adapter.read_gguf(path);
  } else {
    adapter.read_peft(path);
  }
  return adapter;
}

void StoredAdapter::read_peft(const fs::path& directory) {
  settings_ = read_peft_settings(directory);
  const fs::path weights = directory / "adapter_model.safetensors";
  if (!fs::exists(weights) && fs::exists(directory / "adapter_model.bin")) {
    throw_error(
        ErrorKind::unsupported,
        "{}: expected adapter_model.safetensors, found adapter_model.bin, a pickle: save it as safetensors",
        directory.string());
  }
  safetensors_ = std::make_shared<const SafetensorsFile>(SafetensorsFile::open(weights));
  name_ = safetensors_->name();
  for (const TensorView& tensor : safetensors_->tensors()) {
    if (tensor.name.find("lora_embedding_") != std::string::npos ||
        tensor.name.find("embed_tokens") != std::string::npos) {
      throw_error(ErrorKind::unsupported, "{}: '{}': embeddings of an adapter are not supported", name_,
                  tensor.name);
    }
    tensors_.emplace(peft_name(tensor.name), tensor);
  }
}

void StoredAdapter::read_gguf(const fs::path& file) {
  gguf_ = std::make_shared<const GgufFile>(GgufFile::open(file));
  name_ = gguf_->name();
  const std::string_view type = gguf_->find_string("general.type").value_or("model");
  const std::string_view kind = gguf_->find_string("adapter.type").value_or("none");
  if (type != "adapter" || kind != "lora") {
    throw_error(ErrorKind::bad_file,
                "{}: expected an adapter (general.type adapter, adapter.type lora), found general.type {}, "
                "adapter.type {}",
                name_, type, kind);
  }
  settings_.rank = 0;
  for (const TensorView& tensor : gguf_->tensors()) {
    constexpr std::string_view kA = ".lora_a", kB = ".lora_b";
    const bool is_a = tensor.name.ends_with(kA);
    const std::string base =
        tensor.name.substr(0, tensor.name.size() - std::min(tensor.name.size(), kA.size()));
    const std::string module = is_a || tensor.name.ends_with(kB) ? hub_module_of_gguf(base) : "";
    if (module.empty()) {
      tensors_.emplace(tensor.name, tensor);
      continue;
    }
    tensors_.emplace(module + (is_a ? ".lora_A.weight" : ".lora_B.weight"), tensor);
    if (!is_a || tensor.shape.empty()) continue;
    if (settings_.rank == 0) settings_.rank = tensor.shape[0];
    if (settings_.rank != tensor.shape[0]) {
      throw_error(ErrorKind::unsupported, "{}: {}: expected the rank {} of the others, found {}", name_,
                  tensor.name, settings_.rank, tensor.shape[0]);
    }
  }
  if (settings_.rank < 1) throw_error(ErrorKind::bad_file, "{}: no tensors of an adapter", name_);
  const double alpha = gguf_->find_f32("adapter.lora.alpha").value_or(0);
  settings_.alpha = alpha != 0 ? alpha : static_cast<double>(settings_.rank);  // llama.cpp: 0 is no scale
}

}  // namespace r1

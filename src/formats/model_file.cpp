#include "formats/model_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/output_file.h"

namespace r1 {

std::shared_ptr<const ModelFile> ModelFile::open(const std::filesystem::path& path,
                                                 std::span<const std::string> overrides) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw_error(ErrorKind::io, "{}: no such file or directory", path.string());
  }
  std::shared_ptr<ModelFile> file(new ModelFile);
  file->path_ = path;
  if (std::filesystem::is_directory(status)) {
    if (!overrides.empty()) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: keys are overridden in GGUF files; of a hub directory edit config.json",
                  path.string());
    }
    file->hub_.emplace(HubDirectory::open(path));
  } else {
    file->gguf_.emplace(GgufFile::open(path));
    for (const std::string& assignment : overrides) file->gguf_->override_value(assignment);
  }
  return file;
}

std::shared_ptr<const ModelFile> ModelFile::with_tensors(const std::shared_ptr<const ModelFile>& base,
                                                         std::vector<TensorView> tensors) {
  std::shared_ptr<ModelFile> file(new ModelFile);
  file->path_ = base->path();
  file->base_ = base;
  file->tensors_.assign(base->tensors().begin(), base->tensors().end());
  file->index_tensors();
  for (TensorView& tensor : tensors) {
    const auto found = file->tensor_index_.find(tensor.name);
    if (found == file->tensor_index_.end() || file->tensors_[found->second].shape != tensor.shape) {
      throw_error(ErrorKind::invalid_argument,
                  "{}: tensor '{}' cannot be replaced: no such name or another shape", base->path().string(),
                  tensor.name);
    }
    TensorView& replaced = file->tensors_[found->second];
    tensor.name = replaced.name;
    replaced.dtype = tensor.dtype;  // the name's memory stays: the index looks at it
    replaced.data = tensor.data;
    replaced.bytes = tensor.bytes;
    replaced.block_scales = tensor.block_scales;
  }
  return file;
}

std::shared_ptr<const ModelFile> ModelFile::in_memory(nlohmann::json config,
                                                      std::vector<TensorView> tensors) {
  std::shared_ptr<ModelFile> file(new ModelFile);
  file->path_ = "(in memory)";
  // An empty safetensors file: the length of its header, and "{}" padded to eight bytes.
  static constexpr std::byte kEmpty[] = {std::byte{8},   std::byte{0},   std::byte{0},   std::byte{0},
                                         std::byte{0},   std::byte{0},   std::byte{0},   std::byte{0},
                                         std::byte{'{'}, std::byte{'}'}, std::byte{' '}, std::byte{' '},
                                         std::byte{' '}, std::byte{' '}, std::byte{' '}, std::byte{' '}};
  file->hub_.emplace(HubDirectory{
      {file->path_, std::move(config), {}, {}, {}, {}}, SafetensorsFile::parse(kEmpty, "(in memory)"), {}});
  file->tensors_ = std::move(tensors);
  file->index_tensors();
  return file;
}

std::vector<std::filesystem::path> ModelFile::files() const {
  if (const GgufFile* file = gguf()) return file->shard_paths();
  return hub()->files();
}

std::span<const std::string> ModelFile::remarks() const {
  return hub() != nullptr ? std::span<const std::string>(hub()->remarks) : std::span<const std::string>();
}

void ModelFile::index_tensors() {
  for (size_t i = 0; i < tensors_.size(); ++i) tensor_index_[tensors_[i].name] = i;
}

const TensorView* ModelFile::find(std::string_view name) const {
  if (!tensors_.empty()) {
    const auto found = tensor_index_.find(name);
    return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
  }
  return gguf_ ? gguf_->find(name) : hub_->weights.find(name);
}

std::span<const TensorView> ModelFile::tensors() const {
  if (!tensors_.empty()) return tensors_;
  return gguf_ ? gguf_->tensors() : hub_->weights.tensors();
}

size_t ModelFile::total_bytes() const {
  if (!tensors_.empty()) {
    size_t bytes = 0;
    for (const TensorView& tensor : tensors_) bytes += tensor.bytes;
    return bytes;
  }
  return gguf_ ? gguf_->total_bytes() : hub_->weights.total_bytes();
}

void ModelFile::populate(const TensorView& tensor) const {
  if (!tensors_.empty()) return;  // what is replaced is in memory; the rest comes as it is used
  if (gguf_) {
    gguf_->populate(tensor);
  } else {
    hub_->weights.populate(tensor);
  }
}

void ModelFile::release(const TensorView& tensor) const {
  if (!tensors_.empty()) return;
  if (gguf_) {
    gguf_->release(tensor);
  } else {
    hub_->weights.release(tensor);
  }
}

void ModelFile::populate_all() const {
  if (base_) return;
  if (gguf_) {
    gguf_->populate_all();
  } else {
    hub_->weights.populate_all();
  }
}

void require_apart(const std::filesystem::path& output, const ModelFile& model) {
  for (const std::filesystem::path& file : model.files()) require_apart(output, file);
}

}  // namespace r1

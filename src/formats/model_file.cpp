#include "formats/model_file.h"

#include "base/error.h"

namespace r1 {

std::shared_ptr<const ModelFile> ModelFile::open(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw_error(ErrorKind::io, "{}: no such file or directory", path.string());
  }
  std::shared_ptr<ModelFile> file(new ModelFile);
  file->path_ = path;
  if (std::filesystem::is_directory(status)) {
    file->hub_.emplace(HubDirectory::open(path));
  } else {
    file->gguf_.emplace(GgufFile::open(path));
  }
  return file;
}

const TensorView* ModelFile::find(std::string_view name) const {
  return gguf_ ? gguf_->find(name) : hub_->weights.find(name);
}

std::span<const TensorView> ModelFile::tensors() const {
  return gguf_ ? gguf_->tensors() : hub_->weights.tensors();
}

size_t ModelFile::total_bytes() const {
  return gguf_ ? gguf_->total_bytes() : hub_->weights.total_bytes();
}

void ModelFile::populate(const TensorView& tensor) const {
  if (gguf_) {
    gguf_->populate(tensor);
  } else {
    hub_->weights.populate(tensor);
  }
}

void ModelFile::populate_all() const {
  if (gguf_) {
    gguf_->populate_all();
  } else {
    hub_->weights.populate_all();
  }
}

}  // namespace r1

// A base model whose matrices are held in four bits while an adapter is trained on it (QLoRA).
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "formats/model_file.h"
#include "nn/context.h"

namespace r1 {

/// Holds the linear layers of a model's blocks as NF4 with double quantisation (tensor/nf4.h), experts
/// included where the file is a hub directory; embedding, output, norms, biases and routers stay as they are
/// stored. The file's pages are given back as they are read.
class Nf4Base {
 public:
  /// Error(unsupported) for quantised GGUF files (a base as they are), GGUF files with experts, and rows of
  /// no whole blocks of 64.
  Nf4Base(const std::shared_ptr<const ModelFile>& base, ThreadPool& pool);
  Nf4Base(const Nf4Base&) = delete;

  /// The model's file with these matrices; valid while this object lives.
  const std::shared_ptr<const ModelFile>& file() const { return file_; }

 private:
  std::vector<AlignedBytes> memory_;
  std::shared_ptr<const ModelFile> file_;
};

}  // namespace r1

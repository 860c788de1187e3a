// Finds a model's tensors in its file by name, checks type and shape, and gives them to the ops' weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "nn/experts.h"
#include "nn/linear.h"

namespace r1 {

/// A model's tensor names in both forms. Layer parts get "blk.N." and "model.layers.N." in front.
class TensorNames {
 public:
  explicit TensorNames(const ModelFile& file) : gguf_(file.gguf() != nullptr) {}
  std::string top(const std::string& gguf, const std::string& hub) const { return gguf_ ? gguf : hub; }
  std::string layer(int64_t index, const std::string& gguf, const std::string& hub) const;

 private:
  bool gguf_;
};

/// Binds tensors of one file and keeps what had to be decoded (short float32 vectors). The result's pointers
/// are valid while the binder lives; it holds the file. A missing tensor, a wrong shape or a type that no op
/// takes is an Error(bad_file) or Error(unsupported) with name, expected and found.
class WeightBinder {
 public:
  explicit WeightBinder(std::shared_ptr<const ModelFile> file);

  const ModelFile& file() const { return *file_; }
  bool has(const std::string& name) const { return file_->find(name) != nullptr; }

  /// A {rows, columns} matrix.
  kernels::WeightMatrix matrix(const std::string& name, int64_t rows, int64_t columns);
  /// A linear layer; with a bias where a name is given.
  Linear linear(const std::string& name, int64_t outputs, int64_t inputs, const std::string& bias = "");
  /// `count` float32 values of a vector of any float type.
  const float* vector(const std::string& name, int64_t count);
  /// A {count, outputs, inputs} stack, one layer each. {count · outputs, inputs} is taken as well.
  std::vector<Linear> stack(const std::string& name, int64_t count, int64_t outputs, int64_t inputs);

  /// Of all that was bound. A tensor that is bound twice is counted twice.
  const std::vector<std::string>& bound_names() const { return bound_names_; }
  int64_t elements() const { return elements_; }
  size_t bytes() const { return bytes_; }

 private:
  const TensorView& find(const std::string& name) const;
  const TensorView& find_weights(const std::string& name, const std::vector<int64_t>& shape,
                                 const std::vector<int64_t>& other_shape = {});

  std::shared_ptr<const ModelFile> file_;
  std::vector<std::unique_ptr<float[]>> vectors_;
  std::vector<std::string> bound_names_;
  int64_t elements_ = 0;
  size_t bytes_ = 0;
};

}  // namespace r1

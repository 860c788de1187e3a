// Finds a model's tensors in its file by name, checks type and shape, puts them where they are computed with,
// and gives them to the ops' weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/model_file.h"
#include "model/placement.h"
#include "nn/weight.h"

namespace r1 {

/// The id of the tensor's matrix `slice` as a model bound to `file` has it. Unknown where the file has no
/// such tensor.
WeightId weight_id(const ModelFile& file, const std::string& tensor, int64_t slice = 0);

/// A model's tensor names in both forms. Layer parts get "blk.N." and "model.layers.N." in front.
class TensorNames {
 public:
  explicit TensorNames(const ModelFile& file) : gguf_(file.gguf() != nullptr) {}
  std::string top(const std::string& gguf, const std::string& hub) const { return gguf_ ? gguf : hub; }
  std::string layer(int64_t index, const std::string& gguf, const std::string& hub) const;

 private:
  bool gguf_;
};

/// How a layer's weight is divided among equal parts of a model that compute together.
enum class Split {
  none,     // each part has all of it
  outputs,  // each has some outputs: its results are a part of the layer's
  inputs,   // each takes some inputs: the results of all parts add up to the layer's
};

/// One of `count` equal parts.
struct Part {
  int64_t index = 0, count = 1;
};

/// Binds tensors of one file and keeps what had to be decoded or copied to a device. The result's pointers
/// are valid while the binder lives; it holds the file. A missing tensor, a wrong shape, a type that no op
/// takes, or a division that cuts through blocks is an Error(bad_file) or Error(unsupported) with name,
/// expected and found.
class WeightBinder {
 public:
  explicit WeightBinder(std::shared_ptr<const ModelFile> file, const Placement& placement = {},
                        Part part = {});

  const ModelFile& file() const { return *file_; }
  const Placement& placement() const { return placement_; }
  bool has(const std::string& name) const { return file_->find(name) != nullptr; }

  /// What is bound from now on goes to the device of that layer; at first, and again, to that of the ends.
  void bind_to_layer(int64_t layer) { memory_ = &placement_.layer(layer); }
  void bind_to_ends() { memory_ = placement_.ends; }

  /// A {rows, columns} matrix.
  Weight matrix(const std::string& name, int64_t rows, int64_t columns);
  /// A linear layer; with a bias where a name is given. outputs and inputs: of the whole layer.
  Linear linear(const std::string& name, int64_t outputs, int64_t inputs, const std::string& bias = "",
                Split split = Split::none);
  /// `count` float32 values of a vector of any float type.
  WeightVector vector(const std::string& name, int64_t count);
  /// The same for the host to read.
  std::vector<float> host_vector(const std::string& name, int64_t count);
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
  const std::byte* place(const std::byte* data, size_t bytes);
  void divide(const std::string& name, Split split, Weight& weight) const;

  std::shared_ptr<const ModelFile> file_;
  Placement placement_;
  Part part_;
  DeviceMemory* memory_;
  std::vector<DeviceBytes> copies_;
  std::unordered_map<const std::byte*, const std::byte*> placed_;  // on memory_, by the file's address
  const DeviceMemory* placed_on_ = nullptr;
  std::vector<std::unique_ptr<float[]>> vectors_;
  std::vector<std::string> bound_names_;
  int64_t elements_ = 0;
  size_t bytes_ = 0;
};

}  // namespace r1

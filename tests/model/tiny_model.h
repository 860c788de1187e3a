// Tiny models of every architecture with random weights, written where a test needs them: no downloads.
#pragma once

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "formats/synth.h"
#include "tests/temporary_folder.h"

namespace r1::test {

/// Shapes of write_synthetic_gguf: one of each architecture.
inline constexpr const char* kTinyShapes[] = {"tiny-qwen2", "tiny-llama", "tiny-deepseek"};

/// A change to a tiny model's file.
struct TinyEdits {
  std::function<bool(std::string_view key)> keeps_key;  // empty: all are kept
  std::function<void(GgufWriter&)> add_keys;            // with tensors of their own declared last
  std::function<bool(std::string_view name)> keeps_tensor;
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  std::vector<Tensor> tensors;  // float32, in place of those with the same name or added
};

inline std::vector<float> drawn(int64_t count, uint64_t seed, double from, double to) {
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[static_cast<size_t>(i)] =
        static_cast<float>(from + (to - from) * random_uniform(seed, static_cast<uint64_t>(i)));
  }
  return values;
}

/// Copies a GGUF file with changes. Norms, which synth writes as ones, are drawn from 0.5 to 1.5.
inline void edit_gguf(const std::filesystem::path& from, const std::filesystem::path& to,
                      const TinyEdits& edits = {}) {
  const GgufFile source = GgufFile::open(from);
  GgufWriter writer(to);
  for (const std::string_view key : source.keys()) {
    if (!edits.keeps_key || edits.keeps_key(key)) writer.copy(key, *source.find_value(key));
  }
  if (edits.add_keys) edits.add_keys(writer);
  std::vector<std::vector<float>> floats;  // of what is written as float32
  std::vector<std::span<const std::byte>> parts;
  const auto declare_floats = [&](const std::string& name, const std::vector<int64_t>& shape,
                                  std::vector<float> values) {
    writer.declare_tensor(name, DType::f32, shape);
    floats.push_back(std::move(values));
    parts.push_back(std::as_bytes(std::span(floats.back())));
  };
  uint64_t seed = 1000;
  for (const TensorView& tensor : source.tensors()) {
    ++seed;
    if (edits.keeps_tensor && !edits.keeps_tensor(tensor.name)) continue;
    bool replaced = false;
    for (const TinyEdits::Tensor& edited : edits.tensors) replaced |= edited.name == tensor.name;
    if (replaced) continue;
    if (tensor.name.ends_with("norm.weight")) {
      declare_floats(tensor.name, tensor.shape, drawn(tensor.elements(), seed, 0.5, 1.5));
      continue;
    }
    writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape);
    parts.emplace_back(tensor.data, tensor.bytes);
  }
  for (const TinyEdits::Tensor& tensor : edits.tensors) {
    declare_floats(tensor.name, tensor.shape, tensor.values);
  }
  for (const std::span<const std::byte> part : parts) writer.append(part);
  writer.finish();
}

/// One file in a folder of its own, which goes with the object.
class TinyModel {
 public:
  /// `type`: as in SynthOptions ("F32", "Q8_0", "Q4_K_M" …).
  explicit TinyModel(std::string_view shape, const std::string& type = "F32", const TinyEdits& edits = {}) {
    SynthOptions options;
    options.type = type;
    options.threads = 1;
    write_synthetic_gguf(shape, folder_ / "synth.gguf", options);
    edit_gguf(folder_ / "synth.gguf", path(), edits);
  }

  std::filesystem::path path() const { return folder_ / "model.gguf"; }

 private:
  TemporaryFolder folder_;
};

}  // namespace r1::test

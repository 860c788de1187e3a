#include "formats/quantise_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/thread_pool.h"
#include "formats/gguf_writer.h"
#include "formats/output_file.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

constexpr uint32_t kQuantisationVersion = 2;  // of GGML's block formats
constexpr int64_t kPieceValues = 1 << 15;     // encoded by one thread at a time
constexpr int64_t kPiecesPerThread = 16;      // in one batch

QuantisedModelShape shape_of(const GgufFile& file) {
  QuantisedModelShape shape;
  shape.architecture = file.require_string("general.architecture");
  const std::string& prefix = shape.architecture;
  shape.layers = static_cast<int>(file.require_u32(prefix + ".block_count"));
  shape.heads = static_cast<int>(file.require_u32(prefix + ".attention.head_count"));
  shape.key_value_heads = static_cast<int>(
      file.find_u32(prefix + ".attention.head_count_kv").value_or(static_cast<uint32_t>(shape.heads)));
  shape.tied_embeddings = file.find("output.weight") == nullptr;
  return shape;
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

bool is_lossless_enough(DType from) {
  return !is_quantised(from) || from == DType::q8_0;
}

uint64_t stored_bytes(const TensorView& tensor, DType dtype) {
  return static_cast<uint64_t>(tensor.rows()) * row_bytes(dtype, tensor.columns());
}

bool is_replaced(std::string_view key) {
  // The writer sets the alignment; shards are joined.
  return key == "general.file_type" || key == "general.quantization_version" || key == "general.alignment" ||
         key.starts_with("split.");
}

/// Encodes tensors batch by batch.
class Encoder {
 public:
  Encoder(GgufWriter& writer, int threads) : writer_(writer), pool_(threads), rows_(pool_.size()) {}

  template <typename AfterBatch>
  void encode(const TensorView& tensor, DType to, const AfterBatch& after_batch) {
    const int64_t columns = tensor.columns();
    const int64_t rows_in_piece = std::max<int64_t>(1, kPieceValues / std::max<int64_t>(1, columns));
    const int64_t rows_in_batch = rows_in_piece * kPiecesPerThread * pool_.size();
    const size_t bytes_from = row_bytes(tensor.dtype, columns);
    const size_t bytes_to = row_bytes(to, columns);
    for (int64_t first = 0; first < tensor.rows(); first += rows_in_batch) {
      const int64_t count = std::min(rows_in_batch, tensor.rows() - first);
      batch_.resize(static_cast<size_t>(count) * bytes_to);
      pool_.parallel_for((count + rows_in_piece - 1) / rows_in_piece, [&](int64_t piece, int thread) {
        std::vector<float>& row = rows_[static_cast<size_t>(thread)];
        row.resize(static_cast<size_t>(columns));
        const int64_t end = std::min(count, (piece + 1) * rows_in_piece);
        for (int64_t i = piece * rows_in_piece; i < end; ++i) {
          dequantise_row(tensor.dtype, tensor.data + static_cast<size_t>(first + i) * bytes_from, row);
          try {
            quantise_row(to, row, batch_.data() + static_cast<size_t>(i) * bytes_to);
          } catch (const Error& error) {
            throw_error(error.kind(), "tensor '{}', row {}: {}", tensor.name, first + i, error.what());
          }
        }
      });
      writer_.append(batch_);
      after_batch(count * columns);
    }
  }

 private:
  GgufWriter& writer_;
  ThreadPool pool_;
  std::vector<std::vector<float>> rows_;  // one for each thread
  std::vector<std::byte> batch_;
};

}  // namespace

std::vector<QuantisePlanEntry> plan_quantisation(const GgufFile& file, const QuantiseOptions& options) {
  const QuantisedModelShape model = shape_of(file);
  std::vector<QuantisePlanEntry> plan;
  plan.reserve(file.tensors().size());
  for (const TensorView& tensor : file.tensors()) {
    TypeChoice choice = choose_type(tensor.name, tensor.shape, model, options.target);
    if (choice.kept && !is_float(tensor.dtype)) choice.dtype = tensor.dtype;
    if (choice.dtype != tensor.dtype && !is_float(tensor.dtype)) {
      if (!is_quantised(tensor.dtype)) {
        throw_error(ErrorKind::unsupported, "{}: tensor '{}' is {}, expected a float type to quantise",
                    file.name(), tensor.name, name(tensor.dtype));
      }
      if (!is_lossless_enough(tensor.dtype) && !options.allow_requantise) {
        throw_error(ErrorKind::unsupported,
                    "{}: tensor '{}' is already {}: expected F32, F16, BF16 or Q8_0 (quantising twice loses "
                    "quality; it has to be allowed explicitly)",
                    file.name(), tensor.name, name(tensor.dtype));
      }
    }
    const DType to = choice.dtype;
    plan.push_back(
        {tensor.name, tensor.shape, tensor.dtype, std::move(choice), tensor.bytes, stored_bytes(tensor, to)});
  }
  return plan;
}

void quantise_gguf(const std::filesystem::path& input, const std::filesystem::path& output,
                   const QuantiseOptions& options,
                   const std::function<void(const QuantiseProgress&)>& progress) {
  const GgufFile file = GgufFile::open(input);
  for (const std::filesystem::path& shard : file.shard_paths()) require_apart(output, shard);
  const std::vector<QuantisePlanEntry> plan = plan_quantisation(file, options);

  GgufWriter writer(output);
  for (std::string_view key : file.keys()) {
    if (!is_replaced(key)) writer.copy(key, *file.find_value(key));
  }
  writer.set_u32("general.file_type", info(options.target).file_type);
  writer.set_u32("general.quantization_version", kQuantisationVersion);
  uint64_t values = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    writer.declare_tensor(plan[i].name, plan[i].to.dtype, plan[i].shape);
    values += static_cast<uint64_t>(file.tensors()[i].elements());
  }

  Encoder encoder(writer, options.threads);
  uint64_t done = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    const TensorView& tensor = file.tensors()[i];
    const auto advance = [&](int64_t count) {
      done += static_cast<uint64_t>(count);
      if (progress) progress({plan[i], i, plan.size(), done, values});
    };
    if (plan[i].to.dtype == tensor.dtype) {
      writer.append({tensor.data, tensor.bytes});
      advance(tensor.elements());
    } else {
      encoder.encode(tensor, plan[i].to.dtype, advance);
    }
  }
  writer.finish();
}

}  // namespace r1

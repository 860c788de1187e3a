#include "formats/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/thread_pool.h"
#include "formats/gguf_writer.h"
#include "formats/hub_plan.h"
#include "formats/model_config.h"
#include "formats/model_file.h"
#include "formats/tokenizer_metadata.h"
#include "tensor/codec.h"
#include "tensor/float_formats.h"

namespace r1 {
namespace {

using Source = TensorPlan::Source;

/// Row `row` of a hub tensor as float32, with its FP8 block scales applied. A row has `values` columns.
void read_row(const TensorView& tensor, int64_t row, std::span<float> values) {
  const auto columns = static_cast<int64_t>(values.size());
  dequantise_matrix_row(tensor.dtype,
                        tensor.data + static_cast<size_t>(row) * row_bytes(tensor.dtype, columns),
                        tensor.block_scales, row, columns, 0, values);
}

/// Encodes a row; false when a finite value became infinite (F16) or the encoder refuses a value.
bool write_row(DType dtype, std::span<const float> values, std::byte* target) {
  bool sound = true;
  auto store = [&](auto convert) {
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = convert(values[i]);
      std::memcpy(target + 2 * i, &half, 2);
    }
  };
  if (dtype == DType::f32) {
    std::memcpy(target, values.data(), values.size_bytes());
  } else if (dtype == DType::bf16) {
    store(bf16_from_f32);
  } else if (dtype == DType::f16) {
    store([&](float value) {
      const uint16_t half = f16_from_f32(value);
      if ((half & 0x7fffU) == 0x7c00U && std::isfinite(value)) sound = false;
      return half;
    });
  } else {
    for (float value : values) sound = sound && std::isfinite(value);
    if (sound) quantise_row(dtype, values, target);
  }
  return sound;
}

/// For key_b: the key rows of one head of kv_b_proj, decoded: {qk_nope_head_dim, kv_lora_rank}.
struct HeadCache {
  int64_t head = -1;
  std::vector<float> rows;
};

/// One planned tensor with the hub tensors it is made of.
struct Part {
  const TensorPlan* plan = nullptr;
  std::vector<const TensorView*> sources;  // one, or one an expert; none for rotary_factors
  DType dtype = DType::f32;

  /// A bias whose values change places is a matrix of one column.
  bool is_column() const { return plan->source == Source::permute_rotary && plan->shape.size() == 1; }
  int64_t columns() const { return is_column() ? 1 : plan->shape.back(); }
  int64_t rows() const {
    int64_t product = 1;
    for (int64_t extent : plan->shape) product *= extent;
    return product / columns();
  }

  /// Where the output's row `row` comes from (not for key_b, which is transposed).
  std::pair<const TensorView*, int64_t> source_row(int64_t row) const {
    switch (plan->source) {
      case Source::permute_rotary: {
        // Within a head, row 2i + j of the output (pair i, half j) is row j · size/2 + i of the hub.
        const int64_t size = rows() / plan->heads;
        const int64_t in_head = row % size;
        return {sources[0], row - in_head + in_head % 2 * (size / 2) + in_head / 2};
      }
      case Source::stack_experts: {
        const int64_t expert_rows = plan->shape[1];
        return {sources[static_cast<size_t>(row / expert_rows)], row % expert_rows};
      }
      case Source::value_b: {
        const int64_t head = row / plan->value_size;
        return {sources[0],
                head * (plan->nope_size + plan->value_size) + plan->nope_size + row % plan->value_size};
      }
      default:
        return {sources[0], row};
    }
  }

  /// float32 of the output's row.
  void read(int64_t row, std::span<float> values, HeadCache& cache) const {
    if (plan->source != Source::key_b) {
      const auto [source, source_index] = source_row(row);
      read_row(*source, source_index, values);
      return;
    }
    // Column `rank` of the head's key rows.
    const int64_t ranks = plan->shape[1];
    const int64_t head = row / ranks;
    if (cache.head != head) {
      cache.rows.resize(static_cast<size_t>(plan->nope_size * ranks));
      for (int64_t i = 0; i < plan->nope_size; ++i) {
        read_row(*sources[0], head * (plan->nope_size + plan->value_size) + i,
                 std::span(cache.rows).subspan(static_cast<size_t>(i * ranks), static_cast<size_t>(ranks)));
      }
      cache.head = head;
    }
    for (int64_t i = 0; i < plan->nope_size; ++i) {
      values[static_cast<size_t>(i)] = cache.rows[static_cast<size_t>(i * ranks + row % ranks)];
    }
  }

  bool is_copy() const { return plan->source != Source::key_b && sources[0]->dtype == dtype; }
};

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

class Converter {
 public:
  Converter(const std::filesystem::path& directory, const ConvertOptions& options)
      : file_(ModelFile::open(directory)),
        hub_(require_hub(*file_)),
        config_(read_model_config(*file_)),
        plan_(plan_hub_model(config_, directory.string())),
        options_(options) {
    if (options.type && *options.type != DType::f32 && *options.type != DType::f16 &&
        *options.type != DType::bf16 && *options.type != DType::q8_0) {
      throw_error(ErrorKind::invalid_argument,
                  "convert writes F32, F16, BF16 or Q8_0, not {} (quantise its result)", name(*options.type));
    }
    for (const TensorPlan& tensor : plan_) parts_.push_back(bind(tensor));
    std::vector<std::string>& notes = report_.notes;
    notes.insert(notes.end(), hub_.remarks.begin(), hub_.remarks.end());
    notes.insert(notes.end(), config_.remarks.begin(), config_.remarks.end());
    const std::vector<std::string> left_out = account_for_tensors(*file_, config_, used_);
    notes.insert(notes.end(), left_out.begin(), left_out.end());
  }

  ConvertReport write(const std::filesystem::path& output,
                      const std::function<void(const ConvertProgress&)>& progress) {
    require_apart(output, *file_);
    GgufWriter writer(output);
    write_metadata(writer);
    for (const Part& part : parts_) writer.declare_tensor(part.plan->name, part.dtype, part.plan->shape);
    report_.tensors = parts_.size();
    report_.bytes = writer.declared_bytes();
    ThreadPool pool(options_.threads);
    uint64_t done = 0;
    for (const Part& part : parts_) {
      if (part.plan->source == Source::rotary_factors) {
        writer.append(std::as_bytes(std::span(part.plan->values)));
        continue;
      }
      write_part(writer, pool, part, [&](size_t bytes) {
        done += bytes;
        if (progress) progress({part.plan->name, done, report_.bytes});
      });
    }
    writer.finish();
    return report_;
  }

 private:
  static const HubDirectory& require_hub(const ModelFile& file) {
    if (file.hub() == nullptr) {
      throw_error(ErrorKind::invalid_argument, "{}: convert takes a hub directory, found a GGUF file",
                  file.path().string());
    }
    return *file.hub();
  }

  const TensorView* require(const std::string& tensor_name, std::span<const int64_t> shape) {
    const TensorView* tensor = hub_.weights.find(tensor_name);
    if (tensor == nullptr) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}' is missing: expected shape {}", hub_.weights.name(),
                  tensor_name, shape_text(shape));
    }
    if (!std::equal(shape.begin(), shape.end(), tensor->shape.begin(), tensor->shape.end())) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected shape {}, found {}", hub_.weights.name(),
                  tensor_name, shape_text(shape), shape_text(tensor->shape));
    }
    used_.push_back(tensor_name);
    return tensor;
  }

  Part bind(const TensorPlan& plan) {
    Part part;
    part.plan = &plan;
    switch (plan.source) {
      case Source::rotary_factors:
        return part;
      case Source::stack_experts:
        for (int64_t expert = 0; expert < plan.shape[0]; ++expert) {
          std::string expert_name = plan.hub_name;
          expert_name.replace(expert_name.find("{}"), 2, std::to_string(expert));
          part.sources.push_back(require(expert_name, std::span(plan.shape).subspan(1)));
        }
        break;
      case Source::key_b:
      case Source::value_b: {
        const int64_t rank = plan.source == Source::key_b ? plan.shape[1] : plan.shape[2];
        const std::vector<int64_t> shape = {plan.heads * (plan.nope_size + plan.value_size), rank};
        part.sources.push_back(require(plan.hub_name, shape));
        break;
      }
      default:
        part.sources.push_back(require(plan.hub_name, plan.shape));
    }
    for (const TensorView* source : part.sources) {
      if (source->dtype != part.sources[0]->dtype) {
        throw_error(ErrorKind::unsupported,
                    "{}: tensors '{}' ({}) and '{}' ({}) are put together but differ in type",
                    hub_.weights.name(), part.sources[0]->name, name(part.sources[0]->dtype), source->name,
                    name(source->dtype));
      }
    }
    part.dtype = output_type(plan, *part.sources[0]);
    return part;
  }

  DType output_type(const TensorPlan& plan, const TensorView& source) const {
    DType kept = DType::f32;
    switch (source.dtype) {
      case DType::f32:
      case DType::f64:
        break;
      case DType::f16:
      case DType::bf16:
        kept = source.dtype;
        break;
      case DType::f8_e4m3:
      case DType::nf4:
        kept = DType::bf16;
        break;
      default:
        throw_error(ErrorKind::unsupported, "{}: tensor '{}': weights of type {} are not supported",
                    hub_.weights.name(), source.name, name(source.dtype));
    }
    if (plan.always_f32) return DType::f32;
    if (!options_.type) return kept;
    // A row that holds no whole blocks stays a plain float.
    return plan.shape.back() % info(*options_.type).block_elements == 0 ? *options_.type : DType::f16;
  }

  void write_metadata(GgufWriter& writer) {
    write_model_metadata(writer, config_);
    const auto folder = std::filesystem::absolute(hub_.path / ".").parent_path().filename();
    writer.set_string("general.name", options_.name.empty() ? folder.string() : options_.name);
    // The type of most matrices names the file.
    DType main_type = DType::f32;
    for (const Part& part : parts_) {
      if (part.plan->name == "blk.0.attn_output.weight") main_type = part.dtype;
    }
    const uint32_t file_type = main_type == DType::f32    ? 0
                               : main_type == DType::f16  ? 1
                               : main_type == DType::q8_0 ? 7
                                                          : 32;
    writer.set_u32("general.file_type", file_type);
    writer.set_u32("general.quantization_version", 2);
    if (hub_.tokenizer_json) {
      const Vocabulary vocabulary = load_vocabulary(*file_);
      const std::vector<std::string> remarks = write_vocabulary(writer, vocabulary, config_.vocabulary);
      for (const auto* notes : {&vocabulary.remarks, &remarks})
        report_.notes.insert(report_.notes.end(), notes->begin(), notes->end());
    } else {
      write_no_vocabulary(writer);
      report_.notes.push_back(
          fmt::format("{}: no tokenizer.json: the output has no vocabulary and runs on token ids only",
                      hub_.path.string()));
    }
  }

  void write_part(GgufWriter& writer, ThreadPool& pool, const Part& part,
                  const std::function<void(size_t)>& written) {
    const int64_t rows = part.rows();
    const int64_t columns = part.columns();
    const size_t stride = row_bytes(part.dtype, columns);
    constexpr int64_t kChunkBytes = int64_t{16} << 20;
    const int64_t chunk_rows = std::max<int64_t>(1, kChunkBytes / static_cast<int64_t>(stride));
    constexpr int64_t kPieceRows = 16;
    std::vector<std::byte> chunk;
    struct Scratch {
      std::vector<float> row;
      HeadCache head;
    };
    std::vector<Scratch> scratch(static_cast<size_t>(pool.size()));
    for (int64_t first = 0; first < rows; first += chunk_rows) {
      const int64_t count = std::min(chunk_rows, rows - first);
      chunk.resize(static_cast<size_t>(count) * stride);
      std::atomic<int64_t> unsound = -1;
      pool.parallel_for((count + kPieceRows - 1) / kPieceRows, [&](int64_t piece, int thread) {
        auto& [row, head] = scratch[static_cast<size_t>(thread)];
        row.resize(static_cast<size_t>(columns));
        for (int64_t i = piece * kPieceRows; i < std::min(count, (piece + 1) * kPieceRows); ++i) {
          std::byte* target = chunk.data() + static_cast<size_t>(i) * stride;
          if (part.is_copy()) {
            const auto [source, index] = part.source_row(first + i);
            std::memcpy(target, source->data + static_cast<size_t>(index) * stride, stride);
            continue;
          }
          part.read(first + i, row, head);
          if (!write_row(part.dtype, row, target)) unsound = first + i;
        }
      });
      if (unsound >= 0) {
        throw_error(ErrorKind::unsupported, "{}: tensor '{}': row {} has a value that {} cannot hold",
                    hub_.weights.name(), part.plan->name, unsound.load(), name(part.dtype));
      }
      writer.append(chunk);
      written(chunk.size());
    }
  }

  std::shared_ptr<const ModelFile> file_;
  const HubDirectory& hub_;
  ModelConfig config_;
  std::vector<TensorPlan> plan_;
  ConvertOptions options_;
  std::vector<Part> parts_;
  std::vector<std::string> used_;
  ConvertReport report_;
};

}  // namespace

ConvertReport convert_hub_to_gguf(const std::filesystem::path& directory, const std::filesystem::path& output,
                                  const ConvertOptions& options,
                                  const std::function<void(const ConvertProgress&)>& progress) {
  return Converter(directory, options).write(output, progress);
}

}  // namespace r1

#include "formats/gguf_writer.h"

#include <cstring>

#include "base/error.h"

namespace r1 {
namespace {

constexpr uint64_t kAlignment = 32;
constexpr uint32_t kVersion = 3;

uint64_t aligned(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

GgufWriter::GgufWriter(const std::filesystem::path& path) : file_(path) {}
GgufWriter::~GgufWriter() = default;

template <typename T>
void GgufWriter::put(T value) {
  metadata_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void GgufWriter::put_text(std::string_view text) {
  put<uint64_t>(text.size());
  metadata_.append(text);
}

void GgufWriter::begin_value(std::string_view key, GgufType type) {
  if (header_written_ || key.empty() || !keys_.emplace(key).second) {
    throw_error(ErrorKind::invalid_argument, "{}: metadata key '{}' {}", file_.path().string(), key,
                header_written_ ? "comes after the tensors' data" : "is empty or given twice");
  }
  ++metadata_count_;
  put_text(key);
  put(static_cast<uint32_t>(type));
}

void GgufWriter::set_u32(std::string_view key, uint32_t value) {
  begin_value(key, GgufType::u32);
  put(value);
}
void GgufWriter::set_f32(std::string_view key, float value) {
  begin_value(key, GgufType::f32);
  put(value);
}
void GgufWriter::set_bool(std::string_view key, bool value) {
  begin_value(key, GgufType::boolean);
  put(static_cast<uint8_t>(value ? 1 : 0));
}
void GgufWriter::set_string(std::string_view key, std::string_view value) {
  begin_value(key, GgufType::string);
  put_text(value);
}

void GgufWriter::set_strings(std::string_view key, std::span<const std::string> values) {
  begin_value(key, GgufType::array);
  put(static_cast<uint32_t>(GgufType::string));
  put<uint64_t>(values.size());
  for (const std::string& value : values) put_text(value);
}

void GgufWriter::set_i32s(std::string_view key, std::span<const int32_t> values) {
  begin_value(key, GgufType::array);
  put(static_cast<uint32_t>(GgufType::i32));
  put<uint64_t>(values.size());
  for (int32_t value : values) put(value);
}

void GgufWriter::set_f32s(std::string_view key, std::span<const float> values) {
  begin_value(key, GgufType::array);
  put(static_cast<uint32_t>(GgufType::f32));
  put<uint64_t>(values.size());
  for (float value : values) put(value);
}

void GgufWriter::copy(std::string_view key, const GgufValue& value) {
  begin_value(key, value.type);
  if (value.type == GgufType::string) put<uint64_t>(value.bytes.size());
  if (value.type == GgufType::array) {
    put(static_cast<uint32_t>(value.element_type));
    put<uint64_t>(value.count);
  }
  metadata_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}

void GgufWriter::declare_tensor(std::string_view name, DType dtype, std::span<const int64_t> shape) {
  if (header_written_ || name.empty() || shape.size() > 4 || info(dtype).ggml_id < 0) {
    throw_error(ErrorKind::invalid_argument,
                "{}: tensor '{}' cannot be declared: {} dimensions (at most 4), type {}{}",
                file_.path().string(), name, shape.size(), info(dtype).name,
                header_written_ ? ", after the tensors' data" : "");
  }
  if (!tensor_names_.emplace(name).second) {
    throw_error(ErrorKind::invalid_argument, "{}: tensor '{}' declared twice", file_.path().string(), name);
  }
  Tensor tensor{std::string(name), dtype, {shape.begin(), shape.end()}, data_bytes_, 0};
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  tensor.bytes = static_cast<uint64_t>(rows) * row_bytes(dtype, shape.empty() ? 1 : shape.back());
  data_bytes_ += aligned(tensor.bytes);
  tensors_.push_back(std::move(tensor));
}

void GgufWriter::write_header() {
  std::string head = "GGUF";
  std::swap(head, metadata_);  // put() appends to metadata_
  put(kVersion);
  put<uint64_t>(tensors_.size());
  put<uint64_t>(metadata_count_);
  metadata_ += head;
  for (const Tensor& tensor : tensors_) {
    put_text(tensor.name);
    put(static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) put(static_cast<uint64_t>(tensor.shape[i]));
    put(static_cast<uint32_t>(info(tensor.dtype).ggml_id));
    put(tensor.offset);
  }
  const uint64_t data_begin = aligned(metadata_.size());
  file_.reserve(data_begin + data_bytes_);
  file_.write(metadata_);
  file_.write_zeros(data_begin - metadata_.size());
  metadata_ = {};
  header_written_ = true;
  skip_complete();
}

void GgufWriter::skip_complete() {
  while (current_ < tensors_.size() && current_bytes_ == tensors_[current_].bytes) {
    file_.write_zeros(aligned(current_bytes_) - current_bytes_);
    ++current_;
    current_bytes_ = 0;
  }
}

std::string_view GgufWriter::current_tensor() const {
  return current_ < tensors_.size() ? std::string_view(tensors_[current_].name) : std::string_view();
}

void GgufWriter::append(std::span<const std::byte> bytes) {
  if (!header_written_) write_header();
  const uint64_t left = current_ < tensors_.size() ? tensors_[current_].bytes - current_bytes_ : 0;
  if (bytes.size() > left) {
    throw_error(ErrorKind::invalid_argument,
                "{}: tensor '{}': {} bytes more than declared: expected at most {}, found {}",
                file_.path().string(), current_tensor(), bytes.size() - left, left, bytes.size());
  }
  file_.write(bytes);
  current_bytes_ += bytes.size();
  skip_complete();
}

void GgufWriter::finish() {
  if (!header_written_) write_header();
  if (current_ < tensors_.size()) {
    throw_error(ErrorKind::invalid_argument, "{}: tensor '{}' is incomplete: expected {} bytes, found {}",
                file_.path().string(), current_tensor(), tensors_[current_].bytes, current_bytes_);
  }
  file_.finish();
}

}  // namespace r1

#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "formats/json_file.h"
#include "formats/mapped_tensors.h"

namespace r1 {
namespace {

constexpr uint64_t kMaximumHeaderBytes = 100'000'000;  // the limit of the reference reader

struct StoredType {
  std::string_view name;
  DType dtype;
};
constexpr std::array<StoredType, 10> kStoredTypes = {{
    {"F32", DType::f32},
    {"F16", DType::f16},
    {"BF16", DType::bf16},
    {"F64", DType::f64},
    {"I8", DType::i8},
    {"I16", DType::i16},
    {"I32", DType::i32},
    {"I64", DType::i64},
    {"U8", DType::i8},  // no unsigned element type here: the bytes are the same
    {"F8_E4M3", DType::f8_e4m3},
}};

std::optional<DType> dtype_from_stored(std::string_view name) {
  for (const StoredType& type : kStoredTypes) {
    if (type.name == name) return type.dtype;
  }
  return std::nullopt;
}

struct Entry {
  TensorView tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// `data_offsets` or a shape: an array of non-negative integers below 2^63.
std::vector<int64_t> read_integers(const nlohmann::json& value, const std::string& name,
                                   const std::string& tensor, std::string_view field) {
  std::vector<int64_t> result;
  bool sound = value.is_array();
  if (sound) {
    for (const auto& element : value) {
      sound = element.is_number_unsigned() &&
              element.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
      if (!sound) break;
      result.push_back(static_cast<int64_t>(element.get<uint64_t>()));
    }
  }
  if (!sound) {
    throw_error(ErrorKind::bad_file,
                "{}: tensor '{}': {}: expected an array of non-negative integers, found {}", name, tensor,
                field, short_json(value));
  }
  return result;
}

Entry read_entry(const std::string& name, const std::string& tensor_name, const nlohmann::json& value) {
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!value.is_object() || !value.contains(field)) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': {} is missing", name, tensor_name, field);
    }
  }
  if (!value["dtype"].is_string()) {
    throw_error(ErrorKind::bad_file, "{}: tensor '{}': dtype: expected a string, found {}", name, tensor_name,
                short_json(value["dtype"]));
  }
  const auto stored = value["dtype"].get<std::string>();
  const auto dtype = dtype_from_stored(stored);
  if (!dtype) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': dtype '{}' is not supported", name, tensor_name,
                stored.substr(0, 40));
  }
  Entry entry;
  entry.tensor.name = tensor_name;
  entry.tensor.dtype = *dtype;
  entry.tensor.shape = read_integers(value["shape"], name, tensor_name, "shape");
  const auto offsets = read_integers(value["data_offsets"], name, tensor_name, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    throw_error(ErrorKind::bad_file, "{}: tensor '{}': data_offsets: expected [begin, end], found {}", name,
                tensor_name, short_json(value["data_offsets"]));
  }
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);
  int64_t bytes = info(*dtype).block_bytes;
  for (int64_t extent : entry.tensor.shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': shape {} overflows the size", name, tensor_name,
                  short_json(value["shape"]));
    }
  }
  entry.tensor.bytes = static_cast<size_t>(bytes);
  if (entry.tensor.bytes != entry.end - entry.begin) {
    throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected {} bytes for shape {} of {}, found {}", name,
                tensor_name, bytes, short_json(value["shape"]), stored, entry.end - entry.begin);
  }
  return entry;
}

}  // namespace

void SafetensorsFile::add(std::span<const std::byte> bytes, const std::string& name) {
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) {
    throw_error(ErrorKind::bad_file, "{}: no safetensors file: expected at least 8 bytes, found {}", name,
                bytes.size());
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  if (header_bytes > kMaximumHeaderBytes || header_bytes > bytes.size() - sizeof(header_bytes)) {
    throw_error(
        ErrorKind::bad_file,
        "{}: header of {} bytes announced, but {} bytes follow (limit {}): cut short or no safetensors file",
        name, header_bytes, bytes.size() - sizeof(header_bytes), kMaximumHeaderBytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(header_bytes),
                              header_bytes);
  const auto data = bytes.subspan(sizeof(header_bytes) + header_bytes);
  const nlohmann::json header = parse_json(text, name);
  if (!header.is_object()) {
    throw_error(ErrorKind::bad_file, "{}: header: expected a JSON object, found {}", name,
                short_json(header));
  }

  std::vector<Entry> entries;
  for (const auto& [key, value] : header.items()) {
    if (key != "__metadata__") {
      entries.push_back(read_entry(name, key, value));
      continue;
    }
    if (!value.is_object()) throw_error(ErrorKind::bad_file, "{}: __metadata__: expected an object", name);
    for (const auto& [metadata_key, metadata_value] : value.items()) {
      if (!metadata_value.is_string()) {
        throw_error(ErrorKind::bad_file, "{}: __metadata__: '{}': expected a string", name, metadata_key);
      }
      metadata_[metadata_key] = metadata_value.get<std::string>();
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t position = 0;
  for (Entry& entry : entries) {
    if (entry.begin != position) {
      throw_error(
          ErrorKind::bad_file, "{}: tensor '{}': expected to begin at byte {} of the data, found {}{}", name,
          entry.tensor.name, position, entry.begin, entry.begin < position ? " (tensors overlap)" : "");
    }
    if (entry.end > data.size()) {
      throw_error(ErrorKind::bad_file,
                  "{}: tensor '{}' ends at byte {} of the data, but there are only {} (cut short?)", name,
                  entry.tensor.name, entry.end, data.size());
    }
    entry.tensor.data = data.data() + entry.begin;
    position = entry.end;
  }
  if (position != data.size()) {
    throw_error(ErrorKind::bad_file, "{}: expected {} bytes of tensor data, found {}", name, position,
                data.size());
  }
  for (Entry& entry : entries) {
    TensorView& tensor = entry.tensor;
    // Files whose header was not padded exist; readers of float32 need aligned data.
    if (reinterpret_cast<uintptr_t>(tensor.data) % info(tensor.dtype).block_bytes != 0) {
      copies_.push_back(std::make_unique<std::byte[]>(tensor.bytes));
      if (tensor.bytes != 0) std::memcpy(copies_.back().get(), tensor.data, tensor.bytes);
      tensor.data = copies_.back().get();
    }
    if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}' occurs in more than one file", name, tensor.name);
    }
    tensors_.push_back(std::move(tensor));
  }
  total_bytes_ += bytes.size();
}

void SafetensorsFile::add_file(const std::filesystem::path& path) {
  mappings_.emplace_back(path);
  paths_.push_back(path);
  add(mappings_.back().bytes(), path.string());
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile file;
  file.name_ = path.string();
  file.add_file(path);
  return file;
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  SafetensorsFile file;
  file.name_ = name;
  file.add(bytes, name);
  return file;
}

SafetensorsFile SafetensorsFile::open_index(const std::filesystem::path& index_path) {
  const std::string index_name = index_path.string();
  const nlohmann::json index = read_json(index_path);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw_error(ErrorKind::bad_file, "{}: expected an object 'weight_map' of tensor and file names",
                index_name);
  }
  std::set<std::string> file_names;
  for (const auto& [tensor, file_name] : index["weight_map"].items()) {
    // Only names of files beside the index: a path could lead anywhere.
    if (!file_name.is_string() || file_name.get<std::string>().empty() ||
        file_name.get<std::string>().find('/') != std::string::npos) {
      throw_error(ErrorKind::bad_file,
                  "{}: tensor '{}': expected the name of a file in the same folder, found {}", index_name,
                  tensor, short_json(file_name));
    }
    file_names.insert(file_name.get<std::string>());
  }
  SafetensorsFile file;
  file.name_ = index_name;
  std::unordered_map<std::string, std::string> place;
  for (const std::string& file_name : file_names) {
    const auto path = index_path.parent_path() / file_name;
    if (!std::filesystem::exists(path)) {
      throw_error(ErrorKind::bad_file, "{}: missing: a shard that {} names", path.string(), index_name);
    }
    const size_t first = file.tensors_.size();
    file.add_file(path);
    for (size_t i = first; i < file.tensors_.size(); ++i) place[file.tensors_[i].name] = file_name;
  }
  for (const auto& [tensor, file_name] : index["weight_map"].items()) {
    const auto found = place.find(tensor);
    if (found != place.end() && found->second != file_name.get<std::string>()) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected in {}, found in {}", index_name, tensor,
                  file_name.get<std::string>(), found->second);
    }
  }
  return file;
}

const TensorView* SafetensorsFile::find(std::string_view tensor_name) const {
  const auto found = tensor_index_.find(std::string(tensor_name));
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

void SafetensorsFile::set_block_scales(std::string_view tensor_name, const float* scales) {
  tensors_[tensor_index_.at(std::string(tensor_name))].block_scales = scales;
}

void SafetensorsFile::replace(std::vector<TensorView> tensors,
                              std::vector<std::unique_ptr<std::byte[]>> memory) {
  tensors_ = std::move(tensors);
  tensor_index_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) tensor_index_[tensors_[i].name] = i;
  for (auto& copy : memory) copies_.push_back(std::move(copy));
}

void SafetensorsFile::populate(const TensorView& tensor) const {
  populate_tensor(mappings_, tensor);
}

void SafetensorsFile::release(const TensorView& tensor) const {
  release_tensor(mappings_, tensor);
}

void SafetensorsFile::populate_all() const {
  for (const MappedFile& mapping : mappings_) mapping.populate(mapping.bytes());
}

void SafetensorsWriter::declare_tensor(std::string_view name, DType dtype, std::span<const int64_t> shape) {
  if (info(dtype).block_elements > 1 || header_written_) {
    throw_error(ErrorKind::invalid_argument, "{}: tensor '{}': {} cannot be declared", file_.path().string(),
                name, info(dtype).name);
  }
  for (const Tensor& other : tensors_) {
    if (other.name == name) {
      throw_error(ErrorKind::invalid_argument, "{}: tensor '{}' declared twice", file_.path().string(), name);
    }
  }
  Tensor tensor{std::string(name), dtype, {shape.begin(), shape.end()}, 0};
  tensor.bytes = static_cast<uint64_t>(info(dtype).block_bytes);
  for (int64_t extent : shape) tensor.bytes *= static_cast<uint64_t>(extent);
  data_bytes_ += tensor.bytes;
  tensors_.push_back(std::move(tensor));
}

void SafetensorsWriter::write_header() {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata_.empty()) header["__metadata__"] = metadata_;
  uint64_t position = 0;
  for (const Tensor& tensor : tensors_) {
    header[tensor.name] = {{"dtype", info(tensor.dtype).name},
                           {"shape", tensor.shape},
                           {"data_offsets", {position, position + tensor.bytes}}};
    position += tensor.bytes;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data begin at a multiple of eight
  const uint64_t length = text.size();
  file_.reserve(sizeof(length) + length + data_bytes_);
  file_.write(std::as_bytes(std::span(&length, 1)));
  file_.write(text);
  header_written_ = true;
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  if (!header_written_) write_header();
  if (bytes.size() > data_bytes_ - data_written_) {
    throw_error(ErrorKind::invalid_argument, "{}: more bytes than declared: expected at most {}, found {}",
                file_.path().string(), data_bytes_ - data_written_, bytes.size());
  }
  file_.write(bytes);
  data_written_ += bytes.size();
}

void SafetensorsWriter::finish() {
  if (!header_written_) write_header();
  if (data_written_ != data_bytes_) {
    throw_error(ErrorKind::invalid_argument, "{}: incomplete: expected {} bytes of data, found {}",
                file_.path().string(), data_bytes_, data_written_);
  }
  file_.finish();
}

}  // namespace r1

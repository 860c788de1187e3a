#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"
#include "formats/gguf_types.h"
#include "formats/mapped_tensors.h"

namespace r1 {
using namespace gguf_detail;

namespace {

static_assert(std::endian::native == std::endian::little, "the readers map little-endian files");

constexpr uint32_t kMaximumDimensions = 4;

/// A file's text for a message: short, and without control characters.
std::string shortened(std::string_view text) {
  std::string result;
  for (char character : text.substr(0, 80)) {
    result += static_cast<unsigned char>(character) < 0x20 ? '?' : character;
  }
  if (text.size() > 80) result += "…";
  return result;
}

}  // namespace

/// Walks one file's bytes and appends what it finds to a GgufFile.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  /// Metadata, tensor table and data bounds of one file.
  GgufFile parse() {
    GgufFile file;
    file.name_ = name_;
    file.total_bytes_ = bytes_.size();
    read_preamble(file);
    const auto tensor_count = take<uint64_t>("tensor count");
    const auto key_count = take<uint64_t>("metadata count");
    // The smallest entries: key length 8 + key 1 + type 4 + value 1; name length 8 + name 1 + dimension count
    // 4
    // + type 4 + offset 8.
    check_count("metadata entries", key_count, 14);
    for (uint64_t i = 0; i < key_count; ++i) read_metadata(file);
    if (file.has("general.alignment")) file.alignment_ = read_alignment(file);
    check_count("tensors", tensor_count, 25);
    read_tensors(file, tensor_count);
    return file;
  }

  static GgufFile open(const std::filesystem::path& path);

 private:
  void read_preamble(GgufFile& file) {
    if (bytes_.size() < 24) {
      throw_error(ErrorKind::bad_file, "{}: GGUF header cut short: expected at least 24 bytes, found {}",
                  name_, bytes_.size());
    }
    if (std::memcmp(bytes_.data(), "GGUF", 4) != 0) {
      throw_error(ErrorKind::bad_file,
                  "{}: no GGUF file: expected magic \"GGUF\", found bytes {:02x} {:02x} {:02x} {:02x}", name_,
                  static_cast<int>(bytes_[0]), static_cast<int>(bytes_[1]), static_cast<int>(bytes_[2]),
                  static_cast<int>(bytes_[3]));
    }
    position_ = 4;
    file.version_ = take<uint32_t>("version");
    if (file.version_ != 0 && (file.version_ & 0xffffU) == 0) {
      throw_error(ErrorKind::unsupported, "{}: big-endian GGUF file: expected little-endian", name_);
    }
    if (file.version_ != 2 && file.version_ != 3) {
      throw_error(ErrorKind::unsupported, "{}: GGUF version: expected 2 or 3, found {}", name_,
                  file.version_);
    }
  }

  size_t remaining() const { return bytes_.size() - position_; }

  void check_count(std::string_view what, uint64_t count, size_t least_bytes) const {
    if (count > remaining() / least_bytes) {
      throw_error(ErrorKind::bad_file, "{}: {} {} announced at byte {}, but only {} bytes follow", name_,
                  count, what, position_, remaining());
    }
  }

  std::span<const std::byte> take_bytes(uint64_t count, std::string_view what) {
    if (count > remaining()) {
      throw_error(ErrorKind::bad_file, "{}: file cut short in {} at byte {}: expected {} bytes, found {}",
                  name_, what, position_, count, remaining());
    }
    auto result = bytes_.subspan(position_, count);
    position_ += count;
    return result;
  }

  template <typename T>
  T take(std::string_view what) {
    return load<T>(take_bytes(sizeof(T), what).data());
  }

  std::string_view take_string(std::string_view what) {
    const auto length = take<uint64_t>(what);
    return text_of(take_bytes(length, what));
  }

  GgufType take_type(std::string_view key) {
    const auto type = take<uint32_t>("a value's type");
    if (type > static_cast<uint32_t>(GgufType::f64)) {
      throw_error(ErrorKind::bad_file, "{}: metadata key '{}': unknown value type {} (expected 0 to 12)",
                  name_, shortened(key), type);
    }
    return static_cast<GgufType>(type);
  }

  void check_bools(std::string_view key, std::span<const std::byte> bytes) const {
    for (std::byte value : bytes) {
      if (static_cast<uint8_t>(value) > 1) {
        throw_error(ErrorKind::bad_file, "{}: metadata key '{}': expected a bool of 0 or 1, found {}", name_,
                    shortened(key), static_cast<int>(value));
      }
    }
  }

  void read_metadata(GgufFile& file) {
    const std::string_view key = take_string("a metadata key");
    if (key.empty()) {
      throw_error(ErrorKind::bad_file, "{}: empty metadata key before byte {}", name_, position_);
    }
    GgufValue value;
    value.type = take_type(key);
    value.element_type = value.type;
    if (value.type == GgufType::string) {
      value.bytes = std::as_bytes(std::span(take_string(shortened(key))));
    } else if (value.type == GgufType::array) {
      read_array(key, value);
    } else {
      value.bytes = take_bytes(stored_size(value.type), "a metadata value");
    }
    if (value.element_type == GgufType::boolean) check_bools(key, value.bytes);
    if (!file.values_.emplace(key, value).second) {
      throw_error(ErrorKind::bad_file, "{}: metadata key '{}' occurs twice", name_, shortened(key));
    }
    file.keys_.push_back(key);
  }

  void read_array(std::string_view key, GgufValue& value) {
    value.element_type = take_type(key);
    value.count = take<uint64_t>("an array's length");
    if (value.element_type == GgufType::array) {
      throw_error(ErrorKind::unsupported, "{}: metadata key '{}': arrays of arrays are not supported", name_,
                  shortened(key));
    }
    const size_t begin = position_;
    if (value.element_type == GgufType::string) {
      check_count("strings", value.count, 8);
      for (uint64_t i = 0; i < value.count; ++i) take_string("an array of strings");
      value.bytes = bytes_.subspan(begin, position_ - begin);
    } else {
      const size_t size = stored_size(value.element_type);
      check_count("array elements", value.count, size);
      value.bytes = take_bytes(value.count * size, "an array");
    }
  }

  uint32_t read_alignment(const GgufFile& file) const {
    const uint32_t alignment = file.require_u32("general.alignment");
    if (alignment < 8 || !std::has_single_bit(alignment)) {
      throw_error(ErrorKind::bad_file, "{}: general.alignment: expected a power of two from 8, found {}",
                  name_, alignment);
    }
    return alignment;
  }

  void read_tensors(GgufFile& file, uint64_t count) {
    std::vector<uint64_t> offsets;
    offsets.reserve(count);
    file.tensors_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      TensorView tensor = read_tensor_description();
      offsets.push_back(take<uint64_t>("a tensor's offset"));
      file.tensors_.push_back(std::move(tensor));
    }
    if (count == 0) return;
    const uint64_t mask = file.alignment_ - 1;
    const uint64_t data_begin = (static_cast<uint64_t>(position_) + mask) & ~mask;
    const uint64_t data_bytes = data_begin <= bytes_.size() ? bytes_.size() - data_begin : 0;
    for (uint64_t i = 0; i < count; ++i) {
      TensorView& tensor = file.tensors_[i];
      if ((offsets[i] & mask) != 0) {
        throw_error(ErrorKind::bad_file, "{}: tensor '{}': offset {} is no multiple of the alignment {}",
                    name_, shortened(tensor.name), offsets[i], file.alignment_);
      }
      if (offsets[i] > data_bytes || tensor.bytes > data_bytes - offsets[i]) {
        throw_error(
            ErrorKind::bad_file,
            "{}: tensor '{}': its {} bytes at offset {} end past the file's {} bytes of data (cut short?)",
            name_, shortened(tensor.name), tensor.bytes, offsets[i], data_bytes);
      }
      tensor.data = bytes_.data() + data_begin + offsets[i];
    }
    check_overlaps(file.tensors_);
  }

  TensorView read_tensor_description() {
    TensorView tensor;
    tensor.name = take_string("a tensor's name");
    if (tensor.name.empty()) {
      throw_error(ErrorKind::bad_file, "{}: empty tensor name before byte {}", name_, position_);
    }
    const auto dimensions = take<uint32_t>("a tensor's dimension count");
    if (dimensions > kMaximumDimensions) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected at most {} dimensions, found {}", name_,
                  shortened(tensor.name), kMaximumDimensions, dimensions);
    }
    int64_t elements = 1;
    for (uint32_t i = 0; i < dimensions; ++i) {
      const auto extent = take<uint64_t>("a tensor's dimensions");
      if (extent == 0 || extent > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
          __builtin_mul_overflow(elements, static_cast<int64_t>(extent), &elements)) {
        throw_error(ErrorKind::bad_file,
                    "{}: tensor '{}': dimension {} is {}, which is zero or overflows the size", name_,
                    shortened(tensor.name), i, extent);
      }
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(extent));
    }
    const auto type_id = take<uint32_t>("a tensor's type");
    const auto dtype = dtype_from_ggml_id(type_id);
    if (!dtype) {
      throw_error(ErrorKind::unsupported, "{}: tensor '{}': unknown GGML type {}", name_,
                  shortened(tensor.name), type_id);
    }
    tensor.dtype = *dtype;
    const DTypeInfo& type = info(*dtype);
    if (tensor.columns() % type.block_elements != 0) {
      throw_error(ErrorKind::bad_file,
                  "{}: tensor '{}': rows of {} elements are no multiple of {}'s block of {}", name_,
                  shortened(tensor.name), tensor.columns(), type.name, type.block_elements);
    }
    if (__builtin_mul_overflow(static_cast<uint64_t>(elements / type.block_elements),
                               static_cast<uint64_t>(type.block_bytes), &tensor.bytes)) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': its {} elements overflow the size", name_,
                  shortened(tensor.name), elements);
    }
    return tensor;
  }

  void check_overlaps(const std::vector<TensorView>& tensors) const {
    std::vector<const TensorView*> order;
    order.reserve(tensors.size());
    for (const TensorView& tensor : tensors) order.push_back(&tensor);
    std::sort(order.begin(), order.end(),
              [](const TensorView* a, const TensorView* b) { return a->data < b->data; });
    for (size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1]->data + order[i - 1]->bytes > order[i]->data) {
        throw_error(ErrorKind::bad_file, "{}: tensors '{}' and '{}' overlap in the file", name_,
                    shortened(order[i - 1]->name), shortened(order[i]->name));
      }
    }
  }

  std::span<const std::byte> bytes_;
  std::string name_;
  size_t position_ = 0;
};

namespace {

/// `PREFIX-00002-of-00005.gguf`
struct ShardName {
  std::string prefix;
  uint32_t number = 0;  // from 1
  uint32_t count = 0;

  std::string file_name(uint32_t shard) const {
    return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, shard, count);
  }
};

std::optional<ShardName> parse_shard_name(const std::string& file_name) {
  constexpr size_t kTailLength = std::string_view("-00001-of-00001.gguf").size();
  if (file_name.size() <= kTailLength) return std::nullopt;
  const std::string_view tail = std::string_view(file_name).substr(file_name.size() - kTailLength);
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf") return std::nullopt;
  ShardName result;
  result.prefix = file_name.substr(0, file_name.size() - kTailLength);
  auto number = [&](size_t begin, uint32_t& value) {
    const char* first = tail.data() + begin;
    const auto [end, error] = std::from_chars(first, first + 5, value);
    return error == std::errc() && end == first + 5;
  };
  if (!number(1, result.number) || !number(10, result.count)) return std::nullopt;
  return result;
}

/// Checks a shard's own numbers against the place it was found in.
void check_shard(const GgufFile& shard, uint32_t number, uint32_t count) {
  const uint32_t found_count = shard.require_u32("split.count");
  const uint32_t found_number = shard.require_u32("split.no");
  if (found_count != count || found_number != number) {
    throw_error(ErrorKind::bad_file,
                "{}: expected shard {} of {} (split.no {}), found split.no {} of split.count {}",
                shard.name(), number + 1, count, number, found_number, found_count);
  }
}

}  // namespace

GgufFile GgufParser::open(const std::filesystem::path& path) {
  auto open_one = [](const std::filesystem::path& shard_path) {
    MappedFile mapping(shard_path);
    GgufFile file = GgufParser(mapping.bytes(), shard_path.string()).parse();
    file.shard_paths_.push_back(shard_path);
    file.mappings_.push_back(std::move(mapping));
    return file;
  };

  GgufFile given = open_one(path);
  const uint32_t count = given.find_u32("split.count").value_or(1);
  if (count <= 1) {
    given.index_tensors();
    return given;
  }
  const auto shard_name = parse_shard_name(path.filename().string());
  if (!shard_name || shard_name->count != count || shard_name->number < 1 || shard_name->number > count) {
    throw_error(ErrorKind::bad_file, "{}: shard {} of {}: expected a name like NAME-{:05}-of-{:05}.gguf",
                path.string(), given.require_u32("split.no") + 1, count, given.require_u32("split.no") + 1,
                count);
  }
  GgufFile result;
  for (uint32_t number = 0; number < count; ++number) {
    const auto shard_path = path.parent_path() / shard_name->file_name(number + 1);
    const bool is_given = number + 1 == shard_name->number;
    if (!is_given && !std::filesystem::exists(shard_path)) {
      throw_error(ErrorKind::bad_file, "{}: missing: shard {} of {} of this model", shard_path.string(),
                  number + 1, count);
    }
    // NOLINTNEXTLINE(bugprone-use-after-move): one number of the loop is the given shard's
    GgufFile shard = is_given ? std::move(given) : open_one(shard_path);
    check_shard(shard, number, count);
    if (number == 0) {
      result = std::move(shard);
      continue;
    }
    result.total_bytes_ += shard.total_bytes_;
    result.mappings_.push_back(std::move(shard.mappings_.front()));
    result.shard_paths_.push_back(shard_path);
    std::move(shard.tensors_.begin(), shard.tensors_.end(), std::back_inserter(result.tensors_));
  }
  if (const auto expected = result.find_u64("split.tensors.count");
      expected && *expected != result.tensors_.size()) {
    throw_error(ErrorKind::bad_file, "{}: split.tensors.count: expected {} tensors in {} shards, found {}",
                result.name_, *expected, count, result.tensors_.size());
  }
  result.index_tensors();
  return result;
}

GgufFile GgufFile::open(const std::filesystem::path& path) {
  return GgufParser::open(path);
}

GgufFile GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  GgufFile file = GgufParser(bytes, std::move(name)).parse();
  const auto count = file.find_u32("split.count").value_or(1);
  if (count > 1) {
    throw_error(ErrorKind::unsupported, "{}: one of {} shards cannot be read alone", file.name_, count);
  }
  file.index_tensors();
  return file;
}

void GgufFile::index_tensors() {
  tensor_index_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!tensor_index_.emplace(tensors_[i].name, i).second) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}' occurs twice", name_, shortened(tensors_[i].name));
    }
  }
}

const TensorView* GgufFile::find(std::string_view tensor_name) const {
  const auto found = tensor_index_.find(tensor_name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

void GgufFile::populate(const TensorView& tensor) const {
  populate_tensor(mappings_, tensor);
}

void GgufFile::release(const TensorView& tensor) const {
  release_tensor(mappings_, tensor);
}

void GgufFile::populate_all() const {
  for (const MappedFile& mapping : mappings_) mapping.populate(mapping.bytes());
}

}  // namespace r1

#include "report/event_file.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace r1 {
namespace {

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? (value >> 1U) ^ 0x82f63b78U : value >> 1U;
    table[i] = value;
  }
  return table;
}();

/// As TFRecord stores it, so that a CRC of data that holds CRCs does not go wrong.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15U) | (crc << 17U)) + 0xa282ead8U;
}

template <typename Value>
void append_fixed(std::string& out, Value value) {
  char bytes[sizeof(Value)];
  std::memcpy(bytes, &value, sizeof(Value));  // x86 is little-endian, as the formats are
  out.append(bytes, sizeof(Value));
}

// Protocol buffers: a key is field << 3 | wire type; 0 varint, 1 eight bytes, 2 length-delimited, 5 four
// bytes.
void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_varint(out, field << 3U | 2U);
  append_varint(out, bytes.size());
  out += bytes;
}

std::string event_head(double wall_time) {
  std::string event;
  append_varint(event, 1U << 3U | 1U);  // double wall_time = 1
  append_fixed(event, wall_time);
  return event;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ (crc >> 8U);
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& directory, double wall_time) : file_(nullptr, std::fclose) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  for (int number = 0; file_ == nullptr; ++number) {
    path_ = directory / fmt::format("events.out.tfevents.{}.r1.{}", static_cast<int64_t>(wall_time), number);
    file_.reset(std::fopen(path_.c_str(), "wbx"));
    if (file_ == nullptr && errno != EEXIST) {
      throw_error(ErrorKind::io, "{}: cannot create: {}", path_.string(), std::strerror(errno));
    }
  }
  std::string event = event_head(wall_time);
  append_bytes(event, 3, "brain.Event:2");  // string file_version = 3
  write_record(event);
}

void EventFile::add(int64_t step, double wall_time, std::span<const std::pair<std::string, double>> scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    append_bytes(value, 1, tag);          // string tag = 1
    append_varint(value, 2U << 3U | 5U);  // float simple_value = 2
    append_fixed(value, static_cast<float>(number));
    append_bytes(summary, 1, value);  // repeated Value value = 1
  }
  std::string event = event_head(wall_time);
  append_varint(event, 2U << 3U);  // int64 step = 2
  append_varint(event, static_cast<uint64_t>(step));
  append_bytes(event, 5, summary);  // Summary summary = 5
  write_record(event);
}

void EventFile::write_record(std::string_view data) {
  std::string record;
  append_fixed(record, static_cast<uint64_t>(data.size()));
  append_fixed(record, masked_crc(record));
  record += data;
  append_fixed(record, masked_crc(data));
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0) {
    throw_error(ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
  }
}

}  // namespace r1

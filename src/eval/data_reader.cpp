#include "eval/data_reader.h"

#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "train/data/records.h"

namespace r1::eval {
namespace {

constexpr size_t kMaxBytes = size_t{4} << 30;

std::string read_bytes(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file))
    throw_error(ErrorKind::io, "{}: expected a file, found a folder", file.string());
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw_error(ErrorKind::io, "{}: cannot be opened", file.string());
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) throw_error(ErrorKind::io, "{}: cannot be read to its end", file.string());
  return text;
}

bool is_gzip(const std::string& bytes) {
  return bytes.size() > 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

/// Unpacks all members of a gzip file.
std::string unpack(const std::string& packed, const std::string& name) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw_error(ErrorKind::out_of_memory, "zlib: no memory");
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } end{stream};
  std::string text;
  std::vector<unsigned char> chunk(size_t{1} << 16);
  size_t given = 0;
  for (;;) {
    if (stream.avail_in == 0 && given < packed.size()) {
      const size_t part = std::min(packed.size() - given, size_t{1} << 20);
      stream.next_in =
          const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(packed.data() + given));
      stream.avail_in = static_cast<unsigned>(part);
      given += part;
    }
    stream.next_out = chunk.data();
    stream.avail_out = static_cast<unsigned>(chunk.size());
    const int state = inflate(&stream, Z_NO_FLUSH);
    text.append(reinterpret_cast<const char*>(chunk.data()), chunk.size() - stream.avail_out);
    if (text.size() > kMaxBytes) throw_error(ErrorKind::unsupported, "{}: unpacks to more than 4 GiB", name);
    if (state == Z_STREAM_END) {
      if (stream.avail_in == 0 && given == packed.size()) return text;
      inflateReset(&stream);
      continue;
    }
    if (state != Z_OK || (stream.avail_in == 0 && given == packed.size() && stream.avail_out > 0))
      throw_error(ErrorKind::bad_file, "{}: the gzip data is damaged or ends early", name);
  }
}

}  // namespace

std::vector<BoxedJson<nlohmann::json>> read_data(const std::filesystem::path& file) {
  std::string text = read_bytes(file);
  std::filesystem::path name = file;
  if (is_gzip(text)) {
    text = unpack(text, file.string());
    if (name.extension() == ".gz") name.replace_extension();
  } else if (name.extension() == ".gz") {
    throw_error(ErrorKind::bad_file, "{}: expected gzip data, found another content", file.string());
  }
  std::vector<BoxedJson<nlohmann::json>> records;
  parse_records(text, name.string(),
                [&](const Record& record) { records.emplace_back(nlohmann::json(*record.fields)); });
  return records;
}

ItemList read_items(const Benchmark& benchmark, const std::filesystem::path& file,
                    const ItemOptions& options) {
  const std::vector<BoxedJson<nlohmann::json>> records = read_data(file);
  std::vector<Item> items;
  items.reserve(records.size());
  std::set<std::string> ids;
  for (size_t i = 0; i < records.size(); ++i) {
    try {
      Item item = benchmark.read_item(*records[i], static_cast<int64_t>(i), options);
      item.line = static_cast<int64_t>(i);
      if (!item.id.empty()) ids.insert(item.id);
      items.push_back(std::move(item));
    } catch (const Error& error) {
      throw_error(error.kind(), "{}: record {}: {}", file.string(), i + 1, error.what());
    }
  }
  const bool numbered = ids.size() != items.size();
  ItemList list;
  list.items.reserve(items.size());
  for (Item& item : items) {
    if (numbered) item.id = std::to_string(item.line);
    if (item.excluded.empty()) {
      list.items.push_back(std::move(item));
    } else {
      list.excluded.emplace_back(item.id, item.excluded);
    }
  }
  return list;
}

}  // namespace r1::eval

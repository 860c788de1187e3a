#include "eval/code/pickled_string.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"

namespace r1::eval {
namespace {

struct Opcode {
  unsigned char byte;
  const char* name;
};

constexpr Opcode kRefused[] = {
    {'(', "MARK"},
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'F', "FLOAT"},
    {'I', "INT"},
    {'J', "BININT"},
    {'K', "BININT1"},
    {'L', "LONG"},
    {'M', "BININT2"},
    {'N', "NONE"},
    {'P', "PERSID"},
    {'Q', "BINPERSID"},
    {'R', "REDUCE"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'U', "SHORT_BINSTRING"},
    {'a', "APPEND"},
    {'b', "BUILD"},
    {'c', "GLOBAL"},
    {'d', "DICT"},
    {'}', "EMPTY_DICT"},
    {'e', "APPENDS"},
    {'g', "GET"},
    {'h', "BINGET"},
    {'i', "INST"},
    {'j', "LONG_BINGET"},
    {'l', "LIST"},
    {']', "EMPTY_LIST"},
    {'o', "OBJ"},
    {'s', "SETITEM"},
    {'t', "TUPLE"},
    {')', "EMPTY_TUPLE"},
    {'u', "SETITEMS"},
    {'G', "BINFLOAT"},
    {0x81, "NEWOBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x85, "TUPLE1"},
    {0x86, "TUPLE2"},
    {0x87, "TUPLE3"},
    {0x88, "NEWTRUE"},
    {0x89, "NEWFALSE"},
    {0x8a, "LONG1"},
    {0x8b, "LONG4"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x93, "STACK_GLOBAL"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

class PickleReader {
 public:
  explicit PickleReader(std::string_view bytes) : bytes_(bytes) {}

  std::string read() {
    std::optional<std::string> value;
    while (true) {
      at_opcode_ = at_;
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      switch (opcode) {
        case 0x80:  // PROTO
          if (take_size(1) > 5) fail("protocol: expected 0 to 5");
          break;
        case 0x95:  // FRAME: a hint of size
          take_size(8);
          break;
        case 0x8c:  // SHORT_BINUNICODE
          push(value, std::string(take(take_size(1))));
          break;
        case 'X':  // BINUNICODE
          push(value, std::string(take(take_size(4))));
          break;
        case 0x8d:  // BINUNICODE8
          push(value, std::string(take(take_size(8))));
          break;
        case 'V':  // UNICODE
          push(value, unescaped(take_line()));
          break;
        case 0x94:  // MEMOIZE
          break;
        case 'p':  // PUT
          take_line();
          break;
        case 'q':  // BINPUT
          take(1);
          break;
        case 'r':  // LONG_BINPUT
          take(4);
          break;
        case '.':  // STOP
          if (!value) fail("the pickle ends without a string");
          if (at_ != bytes_.size()) fail("bytes after the end");
          return *std::move(value);
        default:
          refuse(opcode);
      }
    }
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw_error(ErrorKind::bad_file, "pickle, byte {}: {}", at_opcode_, what);
  }
  [[noreturn]] void refuse(unsigned char opcode) const {
    const auto* const known = std::find_if(std::begin(kRefused), std::end(kRefused),
                                           [&](const Opcode& entry) { return entry.byte == opcode; });
    fail(fmt::format("expected a string, found the opcode {}",
                     known != std::end(kRefused) ? known->name : fmt::format("0x{:02x}", opcode)));
  }

  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) fail("ends early");
    const std::string_view piece = bytes_.substr(at_, size);
    at_ += size;
    return piece;
  }
  uint64_t take_size(int bytes) {
    uint64_t value = 0;
    const std::string_view piece = take(static_cast<uint64_t>(bytes));
    for (int i = bytes - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(piece[static_cast<size_t>(i)]);
    return value;
  }
  std::string_view take_line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("a line without end");
    const std::string_view line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  void push(std::optional<std::string>& value, std::string text) const {
    if (value) fail("more than one string");
    value = std::move(text);
  }

  /// Python's raw-unicode-escape: bytes are Latin-1, \uXXXX and \UXXXXXXXX are characters.
  std::string unescaped(std::string_view line) const {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const bool escape =
          line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == 'u' || line[i + 1] == 'U');
      if (!escape) {
        append_character(text, static_cast<unsigned char>(line[i]));
        continue;
      }
      const size_t digits = line[i + 1] == 'u' ? 4 : 8;
      uint32_t code = 0;
      for (size_t d = 0; d < digits; ++d) {
        const char c = i + 2 + d < line.size() ? line[i + 2 + d] : 'x';
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) fail("a bad escape");
        code = code << 4 | static_cast<uint32_t>(digit);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("a bad character");
      append_character(text, code);
      i += digits + 1;
    }
    return text;
  }

  static void append_character(std::string& text, uint32_t code) {
    const auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) return add(code);
    if (code < 0x800) {
      add(0xC0 | code >> 6);
    } else {
      if (code < 0x10000) {
        add(0xE0 | code >> 12);
      } else {
        add(0xF0 | code >> 18);
        add(0x80 | (code >> 12 & 0x3F));
      }
      add(0x80 | (code >> 6 & 0x3F));
    }
    add(0x80 | (code & 0x3F));
  }

  std::string_view bytes_;
  size_t at_ = 0, at_opcode_ = 0;
};

std::string from_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r' || c == '=') continue;
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) throw_error(ErrorKind::bad_file, "base64, byte {}: not a character of base64", i);
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++count == 4) {
      for (const int shift : {16, 8, 0}) bytes += static_cast<char>(bits >> shift & 0xFF);
      bits = 0;
      count = 0;
    }
  }
  if (count == 1) throw_error(ErrorKind::bad_file, "base64: ends early");
  if (count >= 2) bytes += static_cast<char>(bits >> (count == 2 ? 4 : 10) & 0xFF);
  if (count == 3) bytes += static_cast<char>(bits >> 2 & 0xFF);
  return bytes;
}

std::string inflated(std::string_view packed, int64_t max_bytes) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw_error(ErrorKind::out_of_memory, "zlib: no memory");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(std::min<size_t>(packed.size(), UINT32_MAX));
  std::string bytes;
  int status = Z_OK;
  while (status == Z_OK && static_cast<int64_t>(bytes.size()) <= max_bytes) {
    constexpr size_t kPiece = 256 << 10;
    const size_t size = bytes.size();
    bytes.resize(size + kPiece);
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + size);
    stream.avail_out = kPiece;
    status = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(size + kPiece - stream.avail_out);
  }
  inflateEnd(&stream);
  if (static_cast<int64_t>(bytes.size()) > max_bytes) {
    throw_error(ErrorKind::bad_file, "zlib: unpacks to more than {} bytes", max_bytes);
  }
  if (status != Z_STREAM_END) throw_error(ErrorKind::bad_file, "zlib: damaged after {} bytes", bytes.size());
  return bytes;
}

}  // namespace

std::string read_pickled_string(std::string_view pickle) {
  return PickleReader(pickle).read();
}

std::string unpack_string(std::string_view packed, int64_t max_bytes) {
  return read_pickled_string(inflated(from_base64(packed), max_bytes));
}

}  // namespace r1::eval

// A file that appears whole or not at all: written beside its place as NAME.partial, then renamed. What a
// link leads to is replaced, not the link; devices and pipes are written in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace r1 {

/// Nobody wants what is read to be written over: Error(invalid_argument) when both are the same file or
/// folder.
void require_apart(const std::filesystem::path& output, const std::filesystem::path& input);

/// One writer, one thread. Every failure of the system throws Error(io) with the path; the temporary file is
/// removed unless finish() returned.
class OutputFile {
 public:
  /// Creates (or empties) `PATH.partial`; opens what is there when that is no regular file.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Reserves room for the whole file, so that a disk too small is found at once. A file system that cannot
  /// reserve is no error.
  void reserve(uint64_t bytes);

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void write_zeros(size_t count);
  uint64_t position() const { return position_; }
  const std::filesystem::path& path() const { return path_; }

  /// Flushes to the disk and renames into place.
  void finish();

 private:
  void flush();
  void write_through(std::span<const std::byte> bytes);

  std::filesystem::path path_;
  std::filesystem::path temporary_;  // what is written; path_ itself when in_place_
  bool in_place_ = false;            // a device, a pipe: a rename would put a file in its place
  int descriptor_ = -1;
  uint64_t position_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace r1

// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace r1 {

/// Owns the mapping; spans from bytes() are valid while it lives. Reading from several threads is safe.
/// A file that another process shortens while it is mapped raises SIGBUS on access: not handled.
class MappedFile {
 public:
  /// Throws Error(io) when the file cannot be opened or mapped, Error(bad_file) when it is no regular file.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

  /// Asks the system to have the pages of `range` (part of bytes()) in memory and in the page table, so
  /// that the first use does not pay the faults. A hint: failure is ignored.
  void populate(std::span<const std::byte> range) const;
  /// Gives the pages within `range` (part of bytes()) back to the system: they are read anew when used.
  void release(std::span<const std::byte> range) const;

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

}  // namespace r1

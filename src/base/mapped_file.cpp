#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace r1 {

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_error(ErrorKind::io, "{}: cannot open: {}", path.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw_error(ErrorKind::bad_file, "{}: expected a regular file", path.string());
  }
  if (status.st_size > 0) {
    void* address = ::mmap(nullptr, status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    int error = errno;
    ::close(descriptor);
    if (address == MAP_FAILED) {
      throw_error(ErrorKind::io, "{}: cannot map {} bytes: {}", path.string(), status.st_size,
                  std::strerror(error));
    }
    bytes_ = {static_cast<const std::byte*>(address), static_cast<size_t>(status.st_size)};
  } else {
    ::close(descriptor);
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::populate(std::span<const std::byte> range) const {
  if (range.empty()) return;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(range.data()) % page;  // madvise wants whole pages
#ifndef MADV_POPULATE_READ
  constexpr int MADV_POPULATE_READ = 22;
#endif
  ::madvise(const_cast<std::byte*>(range.data() - before), range.size() + before, MADV_POPULATE_READ);
}

void MappedFile::release(std::span<const std::byte> range) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = (page - reinterpret_cast<uintptr_t>(range.data()) % page) % page;
  if (before >= range.size()) return;
  const size_t whole = (range.size() - before) / page * page;
  // Of a file that is only read here: nothing is lost.
  ::madvise(const_cast<std::byte*>(range.data() + before), whole, MADV_DONTNEED);
}

}  // namespace r1

#include "formats/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace r1 {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

}  // namespace

void require_apart(const std::filesystem::path& output, const std::filesystem::path& input) {
  std::error_code absent;
  if (std::filesystem::equivalent(output, input, absent))
    throw_error(ErrorKind::invalid_argument, "{}: would write over what is read: expected another name",
                output.string());
  if (!std::filesystem::is_directory(output, absent) || !std::filesystem::is_directory(input, absent)) return;
  for (const auto& written : std::filesystem::directory_iterator(output)) {
    for (const auto& read : std::filesystem::directory_iterator(input)) {
      if (!std::filesystem::equivalent(written, read, absent)) continue;
      throw_error(ErrorKind::invalid_argument, "{}: leads to {}: would write over what is read",
                  written.path().string(), read.path().string());
    }
  }
}

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code absent;
  const auto target = std::filesystem::status(path_, absent);  // of what a link leads to
  in_place_ = std::filesystem::exists(target) && !std::filesystem::is_regular_file(target);
  if (!in_place_ && std::filesystem::is_symlink(path_, absent))
    path_ = std::filesystem::weakly_canonical(path_);
  temporary_ = path_;
  if (!in_place_) temporary_ += ".partial";
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CLOEXEC | (in_place_ ? 0 : O_CREAT | O_TRUNC), 0666);
  if (descriptor_ < 0) {
    throw_error(ErrorKind::io, "{}: cannot create: {}", temporary_.string(), std::strerror(errno));
  }
  buffer_.reserve(kBufferBytes);
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!in_place_) ::unlink(temporary_.c_str());
}

void OutputFile::reserve(uint64_t bytes) {
  if (bytes == 0 || ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
    throw_error(ErrorKind::io, "{}: no room for {} bytes: {}", temporary_.string(), bytes,
                std::strerror(errno));
  }
}

void OutputFile::write(std::span<const std::byte> bytes) {
  position_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) {
    write_through(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void OutputFile::write_zeros(size_t count) {
  const std::vector<std::byte> zeros(count);
  write(zeros);
}

void OutputFile::flush() {
  write_through(buffer_);
  buffer_.clear();
}

void OutputFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::write(descriptor_, bytes.data(), std::min<size_t>(bytes.size(), size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      throw_error(ErrorKind::io, "{}: cannot write at byte {}: {}", temporary_.string(),
                  position_ - bytes.size(), std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void OutputFile::finish() {
  flush();
  if (in_place_) {
    ::close(std::exchange(descriptor_, -1));
    return;
  }
  // What was reserved and not used is given back.
  if (::ftruncate(descriptor_, static_cast<off_t>(position_)) != 0 || ::fsync(descriptor_) != 0) {
    throw_error(ErrorKind::io, "{}: cannot flush: {}", temporary_.string(), std::strerror(errno));
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw_error(ErrorKind::io, "{}: cannot rename to {}: {}", temporary_.string(), path_.string(),
                std::strerror(errno));
  }
  ::close(descriptor_);
  descriptor_ = -1;
  // The rename itself reaches the disk with its folder; a file system that cannot is no error.
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor >= 0) {
    ::fsync(folder_descriptor);
    ::close(folder_descriptor);
  }
}

}  // namespace r1

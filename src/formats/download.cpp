#include "formats/download.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_io(const fs::path& path, const char* doing) {
  const int error = errno;
  throw_error(ErrorKind::io, "{}: {}: {}{}", path.string(), doing, std::strerror(error),
              error == ENOSPC || error == EDQUOT || error == EFBIG
                  ? " (what has come is kept: free some room and pull again)"
                  : "");
}

/// An open file descriptor.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : value_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (value_ < 0) fail_io(path, "cannot open");
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

/// The journal's first line: parts of another size or another content are not mixed.
std::string journal_header(const HubFile& file, uint64_t part_bytes) {
  return fmt::format("r1-parts 1 {} {} {}", file.bytes, part_bytes,
                     file.sha256.empty() ? file.git_blob : file.sha256);
}

/// One file under way: which parts are there, and the threads' common state.
class Download {
 public:
  Download(const std::string& url, const std::string& token, const HubFile& file, const fs::path& target,
           const DownloadOptions& options)
      : url_(url),
        token_(token),
        file_(file),
        options_(options),
        partial_path_(target.string() + ".partial"),
        journal_path_(target.string() + ".parts") {
    part_count_ = (file.bytes + options.part_bytes - 1) / options.part_bytes;
    complete_.assign(part_count_, false);
    read_journal();
    partial_ = std::make_unique<Descriptor>(partial_path_, O_RDWR | O_CREAT);
    reserve_room();
    journal_ = std::make_unique<Descriptor>(journal_path_, O_WRONLY | O_CREAT | O_APPEND);
  }

  void run() {
    std::vector<std::thread> threads;
    const auto count = std::min<uint64_t>(options_.connections, part_count_);
    for (uint64_t thread = 0; thread < count; ++thread) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
    if (::fsync(partial_->value()) != 0) fail_io(partial_path_, "cannot write");
  }

  const fs::path& partial_path() const { return partial_path_; }

  void discard() {
    std::error_code ignored;
    fs::remove(partial_path_, ignored);
    fs::remove(journal_path_, ignored);
  }
  void forget_journal() {
    std::error_code ignored;
    fs::remove(journal_path_, ignored);
  }

 private:
  uint64_t part_size(uint64_t part) const {
    return std::min(options_.part_bytes, file_.bytes - part * options_.part_bytes);
  }

  void read_journal() {
    std::ifstream journal(journal_path_);
    std::string line;
    const bool usable = fs::exists(partial_path_) && std::getline(journal, line) &&
                        line == journal_header(file_, options_.part_bytes);
    if (!usable) {
      std::ofstream fresh(journal_path_, std::ios::trunc);
      fresh << journal_header(file_, options_.part_bytes) << '\n' << std::flush;
      if (!fresh) fail_io(journal_path_, "cannot write");
      return;
    }
    // A last line that was cut off in the middle has no newline and does not count.
    while (std::getline(journal, line) && !journal.eof()) {
      char* end = nullptr;
      const uint64_t part = std::strtoull(line.c_str(), &end, 10);
      if (*end != '\0' || part >= part_count_ || complete_[part]) continue;
      complete_[part] = true;
      bytes_ += part_size(part);
    }
  }

  void reserve_room() {
    if (file_.bytes == 0) return;
    const auto bytes = static_cast<off_t>(file_.bytes);
    if (::fallocate(partial_->value(), 0, 0, bytes) == 0) return;
    // Some file systems cannot reserve; then a full disk shows while writing.
    if (errno != EOPNOTSUPP && errno != ENOSYS) fail_io(partial_path_, "cannot reserve room for the file");
    if (::ftruncate(partial_->value(), bytes) != 0) fail_io(partial_path_, "cannot set the size");
  }

  void work() {
    try {
      HttpClient client;
      for (;;) {
        uint64_t part = 0;
        {
          std::lock_guard lock(mutex_);
          while (next_part_ < part_count_ && complete_[next_part_]) ++next_part_;
          if (next_part_ >= part_count_ || failure_) return;
          part = next_part_++;
        }
        fetch_part(client, part);
        // The bytes must be on disk before the journal says so.
        if (::fdatasync(partial_->value()) != 0) fail_io(partial_path_, "cannot write");
        const std::string line = fmt::format("{}\n", part);
        std::lock_guard lock(mutex_);
        if (::write(journal_->value(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
          fail_io(journal_path_, "cannot write");
        }
      }
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  bool stopped() {
    if (options_.cancelled && options_.cancelled()) return true;
    std::lock_guard lock(mutex_);
    return failure_ != nullptr;
  }

  void add_bytes(uint64_t bytes) {
    std::lock_guard lock(mutex_);
    bytes_ += bytes;
    if (options_.progress) options_.progress(bytes_);
  }

  void fetch_part(HttpClient& client, uint64_t part) {
    const uint64_t begin = part * options_.part_bytes;
    const uint64_t size = part_size(part);
    uint64_t done = 0;
    int failures = 0;
    auto delay = options_.retry_delay;
    while (done < size) {
      const uint64_t before = done;
      std::string problem;
      int write_error = 0;
      bool overran = false;
      HttpRequest request;
      request.url = url_;
      request.bearer_token = token_;
      request.range_begin = begin + done;
      request.range_end = begin + size;
      request.on_data = [&](std::span<const char> data) {
        overran = data.size() > size - done;
        if (overran || stopped()) return false;
        const auto offset = static_cast<off_t>(begin + done);
        if (::pwrite(partial_->value(), data.data(), data.size(), offset) !=
            static_cast<ssize_t>(data.size())) {
          write_error = errno;
          return false;
        }
        done += data.size();
        add_bytes(data.size());
        return true;
      };
      try {
        const HttpResponse response = client.send(request);
        if (response.status == 200) {
          throw_error(ErrorKind::unsupported, "{}: the server does not serve ranges (status 200 to a range)",
                      url_);
        }
        if (response.status != 206) {
          problem = fmt::format("status {}", response.status);
          if (response.status < 500 && response.status != 408 && response.status != 429) {
            throw_error(ErrorKind::network, "{}: {}", url_, problem);
          }
        }
      } catch (const Error& error) {
        if (write_error != 0) {
          errno = write_error;
          fail_io(partial_path_, "cannot write");
        }
        if (overran)
          throw_error(ErrorKind::network, "{}: the server sent more than the range asked for", url_);
        if (error.kind() != ErrorKind::network || stopped() || !problem.empty()) throw;
        problem = error.what();
      }
      if (done == size) return;
      failures = done > before ? 1 : failures + 1;
      if (failures >= options_.attempts) {
        throw_error(ErrorKind::network, "{}: gave up after {} tries: {}", url_, failures,
                    problem.empty() ? "the answer ended early" : problem);
      }
      if (done > before) delay = options_.retry_delay;
      wait(delay);
      delay = std::min(delay * 2, std::chrono::milliseconds(30000));
    }
  }

  void wait(std::chrono::milliseconds delay) {
    const auto end = std::chrono::steady_clock::now() + delay;
    while (std::chrono::steady_clock::now() < end) {
      if (stopped()) throw_error(ErrorKind::cancelled, "{}: stopped", url_);
      std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(delay, std::chrono::milliseconds(50)));
    }
  }

  const std::string& url_;
  const std::string& token_;
  const HubFile& file_;
  const DownloadOptions& options_;
  fs::path partial_path_, journal_path_;
  std::unique_ptr<Descriptor> partial_, journal_;
  uint64_t part_count_ = 0;

  std::mutex mutex_;  // guards what follows
  std::vector<bool> complete_;
  uint64_t next_part_ = 0;
  uint64_t bytes_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

std::string content_hash(const fs::path& path, bool git_blob) {
  const MappedFile file(path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), git_blob ? EVP_sha1() : EVP_sha256(), nullptr);
  if (git_blob) {
    const std::string header = fmt::format("blob {}", file.bytes().size());
    EVP_DigestUpdate(digest.get(), header.c_str(), header.size() + 1);
  }
  EVP_DigestUpdate(digest.get(), file.bytes().data(), file.bytes().size());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(digest.get(), bytes, &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

void download_file(const std::string& url, const std::string& token, const HubFile& file,
                   const fs::path& target, const DownloadOptions& options) {
  const bool git_blob = file.sha256.empty();
  const std::string& expected = git_blob ? file.git_blob : file.sha256;
  if (fs::exists(target) && fs::file_size(target) == file.bytes &&
      content_hash(target, git_blob) == expected) {
    if (options.progress) options.progress(file.bytes);
    return;
  }
  fs::create_directories(target.parent_path());
  Download download(url, token, file, target, options);
  download.run();
  const std::string found = content_hash(download.partial_path(), git_blob);
  if (found != expected) {
    download.discard();
    throw_error(ErrorKind::network, "{}: expected {} {}, found {}; the bytes were thrown away", url,
                git_blob ? "git blob" : "SHA-256", expected, found);
  }
  fs::rename(download.partial_path(), target);
  download.forget_journal();
}

}  // namespace r1

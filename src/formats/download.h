// Downloads one file in parallel ranges, so that it can be cut off at any time and goes on later.
//
// While it runs there are TARGET.partial (the bytes, in place) and TARGET.parts (a journal of the parts that
// are complete). When all parts are there the hash is checked and TARGET.partial is renamed to TARGET.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "formats/hub_client.h"

namespace r1 {

struct DownloadOptions {
  int connections = 4;
  uint64_t part_bytes = 32U << 20U;
  int attempts = 8;                            // of one part in a row without a byte gained
  std::chrono::milliseconds retry_delay{500};  // doubled after each failure, 30 s at most
  /// Bytes there so far, of HubFile::bytes; called from several threads, one at a time.
  std::function<void(uint64_t bytes)> progress;
  std::function<bool()> cancelled;  // asked often, from several threads
};

/// Returns at once when `target` is there with the right size and hash. Throws Error: network (attempts used
/// up, or the hash is wrong: then the bytes are thrown away), io (disk full: what came stays for a later
/// try), cancelled.
void download_file(const std::string& url, const std::string& token, const HubFile& file,
                   const std::filesystem::path& target, const DownloadOptions& options);

/// Hash of a file as HubFile has it: SHA-256 in hex, or the git blob id when there is no SHA-256.
std::string content_hash(const std::filesystem::path& path, bool git_blob);

}  // namespace r1

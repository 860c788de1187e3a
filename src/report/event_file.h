// TensorBoard event files: TFRecords of Event messages with scalars.
//
// Formats: TFRecord (TensorFlow, core/lib/io/record_writer), Event and Summary (core/util/event.proto,
// core/framework/summary.proto), masked CRC-32C.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace r1 {

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78).
uint32_t crc32c(std::string_view bytes);

/// One writer, one thread. What was written is in the file after each call.
class EventFile {
 public:
  /// Creates DIRECTORY/events.out.tfevents.SECONDS.r1.N with the first N that is free, so that a run that is
  /// resumed adds a file. Throws Error(io).
  EventFile(const std::filesystem::path& directory, double wall_time);

  /// `wall_time`: seconds since 1970. Throws Error(io).
  void add(int64_t step, double wall_time, std::span<const std::pair<std::string, double>> scalars);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_record(std::string_view data);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace r1

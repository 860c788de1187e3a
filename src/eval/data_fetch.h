// Fetches a benchmark's data: a JSONL or CSV file of a data set on a hub, or of a direct address, or the rows of a set that the
// hub has as parquet only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "eval/benchmark.h"
#include "formats/hub_client.h"

namespace r1::eval {

struct FetchOptions {
  HubOptions hub{};
  std::chrono::milliseconds retry_delay{500};  // doubled with each failure in a row
  std::function<bool()> cancelled{};
  /// `total` 0: not known. In bytes, or of the rows API in rows.
  std::function<void(uint64_t done, uint64_t total)> progress{};
};

struct FetchedData {
  std::filesystem::path file;
  std::string sha256;
  bool was_there = false;
  std::string
      remark{};  // what a person should know: another hash or number of rows than this program was made for; empty: nothing
};

/// The address of the rows API that goes with a hub: datasets-server.huggingface.co, or the mirror itself.
std::string rows_endpoint(const HubOptions& hub);

/// Fetches into `folder`, under the name where find_data() looks, with FILE.sha256 beside it (as sha256sum writes it). What is there with
/// that hash is not fetched again. The file appears when it is complete. Throws Error: invalid_argument for a benchmark whose data
/// cannot be fetched; network, io, cancelled.
FetchedData fetch_data(const Benchmark& benchmark, const std::filesystem::path& folder,
                       const FetchOptions& options);

}  // namespace r1::eval

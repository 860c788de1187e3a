// A client of a Hugging Face style hub: what a repository holds, and which of its files make up a model.
// Protocol: the hub's public HTTP API (GET api/models/REPO/revision/REV?blobs=true, GET
// REPO/resolve/REV/FILE).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/http_client.h"

namespace r1 {

/// "owner/name", "owner/name:Q4_K_M", either with "@revision" behind the name.
struct HubReference {
  std::string repository;    // owner/name
  std::string revision;      // branch, tag or commit; "main" when not given
  std::string quantisation;  // as written; empty: not given

  /// Throws Error(invalid_argument) for anything that is no such name (empty parts, "..", other characters).
  static HubReference parse(const std::string& text);
  std::string to_string() const;
};

struct HubFile {
  std::string path;  // relative, checked: no "..", no absolute path, no backslash or control character
  uint64_t bytes = 0;
  std::string sha256;    // of large files; empty for small ones
  std::string git_blob;  // SHA-1 of "blob SIZE\0" + content, for small files
};

struct HubRepository {
  std::string commit;  // what the revision stands for
  std::vector<HubFile> files;
};

struct HubOptions {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT: a mirror
  std::string token;                                // HF_TOKEN
};

enum class HubKind { model, dataset };

/// Throws Error(network) with the status and what it means (401/403: token; 404: no such repository or
/// revision).
HubRepository fetch_repository(HttpClient& client, const HubOptions& options, const HubReference& reference,
                               HubKind kind = HubKind::model);

/// The address of a file at a commit; of a data set, "datasets/" comes before the repository.
std::string file_url(const HubOptions& options, const std::string& repository, const std::string& commit,
                     const std::string& path);

/// The files to download. With GGUF files in the repository: all shards of the one whose name carries the
/// quantisation (none given: Q4_K_M, or the only one there is). Without: safetensors with config and
/// tokenizer. Throws Error(invalid_argument) that lists what there is when the choice is not clear.
std::vector<HubFile> select_files(const HubReference& reference, const HubRepository& repository);

}  // namespace r1

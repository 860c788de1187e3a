#include "formats/hub_client.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json_text.h"

namespace r1 {
namespace {

bool is_name(const std::string& text) {
  if (text.empty() || text.size() > 96 || text.front() == '.' || text.front() == '-') return false;
  if (text.find("..") != std::string::npos) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

bool is_revision(const std::string& text) {
  if (text.empty() || text.size() > 200 || text.front() == '/' || text.find("..") != std::string::npos)
    return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  });
}

bool is_safe_path(const std::string& path) {
  if (path.empty() || path.size() > 1024) return false;
  for (unsigned char c : path) {
    if (c < 0x20 || c == '\\' || c == 0x7f) return false;
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::string percent_encode(const std::string& text, bool keep_slash) {
  std::string out;
  for (unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/')) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("%{:02X}", c);
    }
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// The name of a GGUF file without folder, shard number ("-00001-of-00003") and extension.
std::string gguf_stem(const std::string& path) {
  std::string stem = path.substr(path.rfind('/') + 1);
  stem.resize(stem.size() - std::string(".gguf").size());
  const size_t of = stem.rfind("-of-");
  if (of != std::string::npos && of >= 6 && stem.size() - of == 9 && stem[of - 6] == '-') stem.resize(of - 6);
  return stem;
}

/// The quantisation that a stem ends with: the part behind the last '-' or '.', as people name files.
std::string quantisation_of(const std::string& stem) {
  const size_t cut = stem.find_last_of("-.");
  return cut == std::string::npos ? stem : stem.substr(cut + 1);
}

std::string join(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

bool belongs_to_hub_model(const std::string& path) {
  static const std::set<std::string> kFiles = {"model.safetensors.index.json", "config.json",
                                               "generation_config.json",       "tokenizer.json",
                                               "tokenizer_config.json",        "special_tokens_map.json",
                                               "chat_template.jinja",          "LICENSE"};
  if (path.find('/') != std::string::npos) return false;  // original/, figures/, onnx/ …
  return path.ends_with(".safetensors") || kFiles.count(path) != 0;
}

/// Folder and stem: variants of one quantisation in different folders are different models.
std::string gguf_variant(const std::string& path) {
  return path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1) + gguf_stem(path);
}

const char* meaning_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return "not allowed: set HF_TOKEN to a token with access";
    case 404:
      return "no such repository or revision";
    case 429:
      return "the hub asks to slow down, try later";
    default:
      return "unexpected answer";
  }
}

}  // namespace

HubReference HubReference::parse(const std::string& text) {
  HubReference reference;
  std::string rest = text;
  if (const size_t colon = rest.rfind(':'); colon != std::string::npos) {
    reference.quantisation = rest.substr(colon + 1);
    rest.resize(colon);
    if (!is_name(reference.quantisation)) {
      throw_error(ErrorKind::invalid_argument, "'{}': expected a quantisation such as Q4_K_M behind ':'",
                  text);
    }
  }
  reference.revision = "main";
  if (const size_t at = rest.find('@'); at != std::string::npos) {
    reference.revision = rest.substr(at + 1);
    rest.resize(at);
    if (!is_revision(reference.revision)) {
      throw_error(ErrorKind::invalid_argument, "'{}': expected a branch, tag or commit behind '@'", text);
    }
  }
  const size_t slash = rest.find('/');
  if (slash == std::string::npos || !is_name(rest.substr(0, slash)) || !is_name(rest.substr(slash + 1))) {
    throw_error(ErrorKind::invalid_argument,
                "'{}': expected OWNER/NAME, OWNER/NAME:QUANT or OWNER/NAME@REVISION", text);
  }
  reference.repository = rest;
  return reference;
}

std::string HubReference::to_string() const {
  std::string text = repository;
  if (revision != "main") text += "@" + revision;
  if (!quantisation.empty()) text += ":" + quantisation;
  return text;
}

HubRepository fetch_repository(HttpClient& client, const HubOptions& options, const HubReference& reference,
                               HubKind kind) {
  HttpRequest request;
  request.url = fmt::format("{}/api/{}/{}/revision/{}?blobs=true", options.endpoint,
                            kind == HubKind::model ? "models" : "datasets", reference.repository,
                            percent_encode(reference.revision, false));
  request.bearer_token = options.token;
  const HttpResponse response = client.send(request);
  if (response.status != 200) {
    throw_error(ErrorKind::network, "{}: {}@{}: status {} ({})", options.endpoint, reference.repository,
                reference.revision, response.status, meaning_of(response.status));
  }
  HubRepository repository;
  try {
    const nlohmann::json answer = parse_json_text<nlohmann::json>(response.body);
    repository.commit = answer.at("sha").get<std::string>();
    for (const nlohmann::json& sibling : answer.at("siblings")) {
      HubFile file;
      file.path = sibling.at("rfilename").get<std::string>();
      if (sibling.contains("lfs") && sibling["lfs"].is_object()) {
        file.sha256 = sibling["lfs"].at("sha256").get<std::string>();
        file.bytes = sibling["lfs"].at("size").get<uint64_t>();
      } else {
        file.git_blob = sibling.at("blobId").get<std::string>();
        file.bytes = sibling.at("size").get<uint64_t>();
      }
      repository.files.push_back(std::move(file));
    }
  } catch (const nlohmann::json::exception& error) {
    throw_error(ErrorKind::network, "{}: unexpected answer of the hub: {}", request.url, error.what());
  }
  for (const HubFile& file : repository.files) {
    if (!is_safe_path(file.path)) {
      throw_error(ErrorKind::network, "{}: file name '{}' leads outside of the repository",
                  reference.repository, file.path);
    }
  }
  if (!is_name(repository.commit)) {
    throw_error(ErrorKind::network, "{}: expected a commit, found '{}'", request.url, repository.commit);
  }
  return repository;
}

std::string file_url(const HubOptions& options, const std::string& repository, const std::string& commit,
                     const std::string& path) {
  return fmt::format("{}/{}/resolve/{}/{}", options.endpoint, repository, commit, percent_encode(path, true));
}

std::vector<HubFile> select_files(const HubReference& reference, const HubRepository& repository) {
  std::set<std::string> variants;
  for (const HubFile& file : repository.files) {
    if (file.path.ends_with(".gguf")) variants.insert(gguf_variant(file.path));
  }
  std::vector<HubFile> chosen;
  if (variants.empty()) {
    if (!reference.quantisation.empty()) {
      throw_error(ErrorKind::invalid_argument, "{}: asked for {}, but the repository has no GGUF files",
                  reference.repository, reference.quantisation);
    }
    for (const HubFile& file : repository.files) {
      if (belongs_to_hub_model(file.path)) chosen.push_back(file);
    }
    const bool weights = std::any_of(chosen.begin(), chosen.end(),
                                     [](const HubFile& file) { return file.path.ends_with(".safetensors"); });
    if (!weights) {
      throw_error(ErrorKind::unsupported, "{}: expected .gguf or .safetensors files, found neither",
                  reference.repository);
    }
    return chosen;
  }

  std::string variant;
  if (reference.quantisation.empty() && variants.size() == 1) {
    variant = *variants.begin();
  } else {
    const std::string wanted = upper(reference.quantisation.empty() ? "Q4_K_M" : reference.quantisation);
    std::set<std::string> matching, available;
    for (const std::string& candidate : variants) {
      const std::string stem = upper(candidate.substr(candidate.rfind('/') + 1));
      available.insert(quantisation_of(stem));
      if (stem == wanted || stem.ends_with("-" + wanted) || stem.ends_with("." + wanted))
        matching.insert(candidate);
    }
    if (matching.size() != 1) {
      throw_error(ErrorKind::invalid_argument, "{}: {} matches {}; there are: {}", reference.repository,
                  matching.empty() ? "no file" : "more than one file", wanted,
                  join(matching.empty() ? available : matching));
    }
    variant = *matching.begin();
  }
  for (const HubFile& file : repository.files) {
    if (file.path.ends_with(".gguf") && gguf_variant(file.path) == variant) chosen.push_back(file);
  }
  return chosen;
}

}  // namespace r1

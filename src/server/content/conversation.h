// Conversations as values: the fields of docs/site-api.md, and their JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace r1::site {

using Json = nlohmann::ordered_json;

/// A file as a question lists it.
inline constexpr size_t kMaxQuestionFiles = 32;
inline constexpr size_t kMaxImportedNodes = 20'000;  // of one document, and so of one conversation

struct AttachedFile {
  std::string id, name;
  int64_t bytes = 0;   // of the file that was uploaded
  int64_t tokens = 0;  // of its text in the file template
};

struct StoredFile : AttachedFile {
  int64_t characters = 0;  // code points of the text
  int64_t created = 0;     // ms since 1970
  std::string text;        // UTF-8
};

/// What an answer may cite. `url` (http or https) or `document` (of the index), or neither.
struct Source {
  int number = 0;  // from 1
  std::string title;
  std::optional<std::string> url, document;
  std::string site;
  std::optional<std::string> date;
  std::string snippet;
};

enum class Role { user, assistant };
enum class AnswerState { running, done, stopped, length, failed };
std::string_view name_of(AnswerState state);

struct Node {
  std::string id;
  std::optional<std::string> parent;
  Role role = Role::user;
  int64_t created = 0;  // ms since 1970
  std::string content;
  std::vector<AttachedFile> files;  // of a question
  // of an answer:
  std::string reasoning;
  std::optional<int64_t> thinking_ms;
  AnswerState state = AnswerState::done;
  Json error, usage, timing;  // objects of docs/site-api.md, or null
  std::string model;
  bool deep_think = false, search = false;
  std::vector<Source> sources;
  Json request;  // what a continuation needs to know of the start; not shown
};

struct Summary {
  std::string id, title;
  int64_t created = 0, updated = 0;  // ms since 1970
  std::optional<std::string> leaf, running;
};

struct Conversation : Summary {
  std::vector<Node> nodes;  // parents before children, siblings in the order of their making
};

Json to_json(const AttachedFile& file);
Json to_json(const Source& source);
Json to_json(const std::vector<Source>& sources);
Json to_json(const Summary& summary);
Json to_json(const Node& node);
Json to_json(const Conversation& conversation);

/// 8 to 64 characters of [A-Za-z0-9_-].
bool is_valid_id(std::string_view id);
/// A new random id.
std::string make_id();

// Reading what somebody else wrote: every function throws SiteError(invalid) that names the field (`where` is
// in front of it), what was expected and what was found. Unknown fields are refused.
std::vector<Source> read_sources(const Json& list, const std::string& where);
Node read_node(const Json& object, const std::string& where);

/// A document of an export: {"format": "r1-conversations", "version": 1, "conversations": […]}.
struct ImportedConversation {
  Conversation conversation;
  std::vector<StoredFile> files;
};
std::vector<ImportedConversation> read_export(std::string_view text);

}  // namespace r1::site

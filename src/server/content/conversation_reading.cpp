// Conversations from JSON that somebody else may have written: everything is checked, errors say where.
#include <map>
#include <set>

#include "base/json_depth.h"
#include "base/json_keys.h"
#include "server/content/conversation.h"
#include "server/content/site_error.h"

namespace r1::site {
namespace {

constexpr int64_t kLargestInteger = int64_t{1} << 53;  // what JSON's readers keep exactly
constexpr int kDeepest = 16;

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) {
    size_t cut = 60;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    text = text.substr(0, cut) + "…";
  }
  return text;
}

[[noreturn]] void expected(const std::string& where, std::string_view what, const Json& found) {
  refuse(SiteError::Code::invalid, "{}: expected {}, found {}", where, what, shown(found));
}

/// The fields of one object; remembers which were asked for.
class Fields {
 public:
  Fields(const Json& object, const std::string& where) : object_(object), where_(where) {
    if (!object.is_object()) expected(where, "an object", object);
  }

  const Json& any(const char* name) {
    known_.insert(name);
    const auto found = object_.find(name);
    if (found == object_.end()) refuse(SiteError::Code::invalid, "{}: missing", path(name));
    return *found;
  }
  std::string text(const char* name) {
    const Json& value = any(name);
    if (!value.is_string()) expected(path(name), "a string", value);
    return value.get<std::string>();
  }
  std::optional<std::string> text_or_null(const char* name) {
    if (any(name).is_null()) return std::nullopt;
    return text(name);
  }
  std::string id(const char* name) {
    std::string value = text(name);
    if (!is_valid_id(value)) expected(path(name), "8 to 64 of [A-Za-z0-9_-]", any(name));
    return value;
  }
  std::optional<std::string> id_or_null(const char* name) {
    if (any(name).is_null()) return std::nullopt;
    return id(name);
  }
  int64_t integer(const char* name) {
    const Json& value = any(name);
    if (!value.is_number_integer() || value > kLargestInteger || value < 0) {
      expected(path(name), "an integer of 0 or more", value);
    }
    return value.get<int64_t>();
  }
  bool boolean(const char* name) {
    const Json& value = any(name);
    if (!value.is_boolean()) expected(path(name), "true or false", value);
    return value.get<bool>();
  }
  const Json& list(const char* name) {
    const Json& value = any(name);
    if (!value.is_array()) expected(path(name), "a list", value);
    return value;
  }
  double number(const char* name) {
    const Json& value = any(name);
    if (!value.is_number()) expected(path(name), "a number", value);
    return value.get<double>();
  }
  /// An object of the public API's errors, or null.
  Json error_or_null(const char* name) {
    const Json& value = any(name);
    if (value.is_null()) return value;
    Fields fields(value, path(name));
    for (const auto& [key, item] : value.items()) {
      if (!item.is_string() && !item.is_null() && !item.is_number())
        expected(fields.path(key), "a string or null", item);
    }
    for (const char* field : {"message", "type", "param", "code", "n_prompt_tokens", "n_ctx"})
      fields.known_.insert(field);
    fields.refuse_unknown();
    return value;
  }
  /// An object that has all of these, and nothing else, or null: a continuation counts on from them.
  Json counts_or_null(const char* name, std::initializer_list<const char*> integers,
                      std::initializer_list<const char*> numbers = {}) {
    const Json& value = any(name);
    if (value.is_null()) return value;
    Fields fields(value, path(name));
    for (const char* field : integers) fields.integer(field);
    for (const char* field : numbers) fields.number(field);
    fields.refuse_unknown();
    return value;
  }
  void refuse_unknown() const {
    for (const auto& [key, item] : object_.items()) {
      if (!known_.contains(key)) refuse(SiteError::Code::invalid, "{}: there is no such field", path(key));
    }
  }
  std::string path(const std::string& name) const { return where_.empty() ? name : where_ + "." + name; }

 private:
  const Json& object_;
  const std::string where_;
  std::set<std::string, std::less<>> known_;
};

std::string item(const std::string& where, size_t index) {
  return fmt::format("{}[{}]", where, index);
}

AttachedFile read_file(const Json& object, const std::string& where) {
  Fields fields(object, where);
  AttachedFile file{fields.id("id"), fields.text("name"), fields.integer("bytes"), fields.integer("tokens")};
  fields.refuse_unknown();
  return file;
}

AnswerState read_state(Fields& fields) {
  const std::string text = fields.text("state");
  for (int i = 0; i < 5; ++i) {
    const auto state = static_cast<AnswerState>(i);
    // Nobody is generating an imported answer.
    if (text == name_of(state)) return state == AnswerState::running ? AnswerState::stopped : state;
  }
  expected(fields.path("state"), "running, done, stopped, length or failed", fields.any("state"));
}

StoredFile read_file_text(const Json& object, const std::string& where) {
  Fields fields(object, where);
  StoredFile file;
  file.id = fields.id("id");
  file.name = fields.text("name");
  file.text = fields.text("text");
  for (const char c : file.text) file.characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  fields.refuse_unknown();
  return file;
}

/// Parents, files and the leaf must be there, and roles alternate.
void check_tree(ImportedConversation& imported, const std::string& where) {
  std::map<std::string, const Node*> seen;
  std::map<std::string, StoredFile*> files;
  for (StoredFile& file : imported.files) {
    if (!files.emplace(file.id, &file).second) {
      refuse(SiteError::Code::invalid, "{}.files: '{}' is there twice", where, file.id);
    }
  }
  const auto& nodes = imported.conversation.nodes;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const std::string at = item(where + ".nodes", i);
    if (seen.contains(node.id)) refuse(SiteError::Code::invalid, "{}.id: '{}' is there twice", at, node.id);
    if (node.parent) {
      const auto parent = seen.find(*node.parent);
      if (parent == seen.end()) {
        refuse(SiteError::Code::invalid, "{}.parent: there is no node '{}' before it", at, *node.parent);
      }
      if (parent->second->role == node.role) {
        refuse(SiteError::Code::invalid, "{}.parent: '{}' has the same role", at, *node.parent);
      }
    } else if (node.role == Role::assistant) {
      refuse(SiteError::Code::invalid, "{}.parent: an answer needs a question", at);
    }
    for (const AttachedFile& attached : node.files) {
      const auto file = files.find(attached.id);
      if (file == files.end()) {
        refuse(SiteError::Code::invalid, "{}.files: the text of '{}' is not in {}.files", at, attached.id,
               where);
      }
      file->second->bytes = attached.bytes;
      file->second->tokens = attached.tokens;
    }
    seen.emplace(node.id, &node);
  }
  const auto& leaf = imported.conversation.leaf;
  if (leaf && !seen.contains(*leaf))
    refuse(SiteError::Code::invalid, "{}.leaf: there is no node '{}'", where, *leaf);
}

ImportedConversation read_conversation(const Json& object, const std::string& where) {
  Fields fields(object, where);
  ImportedConversation imported;
  Conversation& conversation = imported.conversation;
  conversation.id = fields.id("id");
  conversation.title = fields.text("title");
  conversation.created = fields.integer("created");
  conversation.updated = fields.integer("updated");
  conversation.leaf = fields.id_or_null("leaf");
  fields.id_or_null("running");
  const Json& nodes = fields.list("nodes");
  for (size_t i = 0; i < nodes.size(); ++i) {
    conversation.nodes.push_back(read_node(nodes[i], item(where + ".nodes", i)));
  }
  const Json& files = fields.list("files");
  for (size_t i = 0; i < files.size(); ++i) {
    imported.files.push_back(read_file_text(files[i], item(where + ".files", i)));
  }
  fields.refuse_unknown();
  check_tree(imported, where);
  return imported;
}

}  // namespace

std::vector<Source> read_sources(const Json& list, const std::string& where) {
  if (!list.is_array()) expected(where, "a list", list);
  std::vector<Source> sources;
  for (size_t i = 0; i < list.size(); ++i) {
    Fields fields(list[i], item(where, i));
    Source source;
    source.number = static_cast<int>(fields.integer("number"));
    if (source.number != static_cast<int>(i) + 1) {
      expected(fields.path("number"), fmt::format("{}", i + 1), fields.any("number"));
    }
    source.title = fields.text("title");
    source.url = fields.text_or_null("url");
    if (source.url && !source.url->starts_with("http://") && !source.url->starts_with("https://")) {
      expected(fields.path("url"), "an http or https address", fields.any("url"));
    }
    source.document = fields.text_or_null("document");
    source.site = fields.text("site");
    source.date = fields.text_or_null("date");
    source.snippet = fields.text("snippet");
    fields.refuse_unknown();
    sources.push_back(std::move(source));
  }
  return sources;
}

Node read_node(const Json& object, const std::string& where) {
  Fields fields(object, where);
  Node node;
  node.id = fields.id("id");
  node.parent = fields.id_or_null("parent");
  const std::string role = fields.text("role");
  if (role != "user" && role != "assistant") {
    expected(fields.path("role"), "user or assistant", fields.any("role"));
  }
  node.role = role == "user" ? Role::user : Role::assistant;
  node.created = fields.integer("created");
  node.content = fields.text("content");
  if (node.role == Role::user) {
    const Json& files = fields.list("files");
    if (files.size() > kMaxQuestionFiles)
      refuse(SiteError::Code::invalid, "{}: expected at most {} files, found {}", fields.path("files"),
             kMaxQuestionFiles, files.size());
    for (size_t i = 0; i < files.size(); ++i) {
      node.files.push_back(read_file(files[i], item(fields.path("files"), i)));
    }
  } else {
    node.reasoning = fields.text("reasoning");
    if (!fields.any("thinking_ms").is_null()) node.thinking_ms = fields.integer("thinking_ms");
    node.state = read_state(fields);
    node.error = fields.error_or_null("error");
    node.model = fields.text("model");
    node.deep_think = fields.boolean("deep_think");
    node.search = fields.boolean("search");
    node.sources = read_sources(fields.any("sources"), fields.path("sources"));
    node.usage = fields.counts_or_null(
        "usage", {"prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens"});
    node.timing = fields.counts_or_null("timing", {"queue_ms", "prefill_ms"}, {"tokens_per_second"});
  }
  fields.refuse_unknown();
  return node;
}

std::vector<ImportedConversation> read_export(std::string_view text) {
  if (is_nested_deeper(text, kDeepest))
    refuse(SiteError::Code::invalid, "nested deeper than {} levels", kDeepest);
  const auto refuse_twice = [](const std::string& place) {
    refuse(SiteError::Code::invalid, "{}: this key is given more than once", place);
  };
  Json document;
  try {
    document = Json::parse(text, UniqueKeys<Json, decltype(refuse_twice)>(refuse_twice));
  } catch (const Json::parse_error& error) {
    // Its text says where; the rest of it is the library's own words.
    refuse(SiteError::Code::invalid, "not JSON: byte {}", error.byte);
  } catch (const Json::out_of_range&) {
    refuse(SiteError::Code::invalid, "a number is too large");
  }
  Fields fields(document, "");
  if (fields.text("format") != "r1-conversations") {
    expected("format", "\"r1-conversations\"", document["format"]);
  }
  if (fields.integer("version") != 1) expected("version", "1", document["version"]);
  const Json& list = fields.list("conversations");
  fields.refuse_unknown();
  std::vector<ImportedConversation> conversations;
  std::set<std::string> ids;
  size_t nodes = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    conversations.push_back(read_conversation(list[i], item("conversations", i)));
    nodes += conversations.back().conversation.nodes.size();
    if (nodes > kMaxImportedNodes)
      refuse(SiteError::Code::too_large,
             "the document has more than {} questions and answers: import it in parts", kMaxImportedNodes);
    const std::string& id = conversations.back().conversation.id;
    if (!ids.insert(id).second) {
      refuse(SiteError::Code::invalid, "conversations[{}].id: '{}' is there twice", i, id);
    }
  }
  return conversations;
}

}  // namespace r1::site

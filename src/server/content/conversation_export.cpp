// Export and import of conversations.
#include <set>

#include "server/content/conversation_store.h"
#include "server/content/site_error.h"
#include "server/content/site_time.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;

Json document_of(Json conversations) {
  return {{"format", "r1-conversations"}, {"version", 1}, {"conversations", std::move(conversations)}};
}

/// A fence longer than any run of backquotes in the text, so that the text cannot end it.
std::string fence_for(const std::string& text) {
  size_t longest = 2, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(longest + 1, '`');
}

}  // namespace

Json ConversationStore::export_unlocked(const std::string& owner, const std::string& id) {
  const Conversation conversation = read_unlocked(owner, id);
  Json json = to_json(conversation);
  json["files"] = Json::array();
  std::set<std::string> seen;
  for (const Node& node : conversation.nodes) {
    for (const AttachedFile& file : node.files) {
      if (!seen.insert(file.id).second) continue;
      json["files"].push_back(
          {{"id", file.id}, {"name", file.name}, {"text", read_file_unlocked(owner, file.id).text}});
    }
  }
  return json;
}

Json ConversationStore::export_conversation(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return document_of(Json::array({export_unlocked(owner, id)}));
}

ConversationStore::ExportPart ConversationStore::export_part(const std::string& owner, int64_t after) {
  constexpr size_t kPartBytes = size_t{16} << 20;  // uploads have 33 MiB
  const std::lock_guard lock(mutex_);
  ExportPart part;
  std::string list;
  size_t nodes = 0;
  Statement rows =
      database_.prepare("SELECT key, id FROM conversations WHERE owner = ?1 AND key > ?2 ORDER BY key");
  int64_t last = after;
  for (rows.bind(owner, after); rows.step(); last = rows.integer(0)) {
    const Json conversation = export_unlocked(owner, rows.text(1));
    const std::string text = conversation.dump();
    nodes += conversation["nodes"].size();
    if (!list.empty() && (list.size() + text.size() > kPartBytes || nodes > kMaxImportedNodes)) {
      part.next = last;
      break;
    }
    if (!list.empty()) list += ',';
    list += text;
  }
  part.document = document_of(Json::array()).dump();
  part.document.insert(part.document.rfind(']'), list);
  return part;
}

std::string ConversationStore::export_markdown(const std::string& owner, const std::string& id) {
  const Conversation conversation = read(owner, id);
  std::vector<Node> nodes;
  if (conversation.leaf) nodes = branch(owner, id, *conversation.leaf);
  std::string text =
      fmt::format("# {}\n\n{}\n", conversation.title, utc_text(conversation.created, "%Y-%m-%d %H:%M UTC"));
  for (const Node& node : nodes) {
    if (node.role == Role::user) {
      text += "\n## Question\n\n";
      for (const AttachedFile& file : node.files) text += fmt::format("File: {}\n\n", file.name);
      text += node.content + "\n";
      continue;
    }
    text += fmt::format("\n## Answer ({})\n\n", node.model);
    if (!node.reasoning.empty()) {
      const std::string fence = fence_for(node.reasoning);
      text += fmt::format("Thinking:\n\n{}text\n{}\n{}\n\n", fence, node.reasoning, fence);
    }
    text += node.content + "\n";
    if (!node.sources.empty()) text += "\nSources:\n\n";
    for (const Source& source : node.sources) {
      text += fmt::format("{}. {} {}\n", source.number, source.title, source.url.value_or(""));
    }
  }
  return text;
}

ConversationStore::Imported ConversationStore::import(const std::string& owner, std::string_view document) {
  const std::vector<ImportedConversation> conversations = read_export(document);
  size_t rows = 0;
  for (const ImportedConversation& imported : conversations)
    rows += 1 + imported.conversation.nodes.size() + imported.files.size();
  const std::lock_guard lock(mutex_);
  use_room(owner, std::ssize(document) + static_cast<int64_t>(rows) * kRowBytes);
  Transaction transaction(database_);
  Imported counts;
  for (const ImportedConversation& imported : conversations) {
    const Conversation& conversation = imported.conversation;
    if (find_conversation(owner, conversation.id)) {
      ++counts.skipped;
      continue;
    }
    for (StoredFile file : imported.files) {
      Statement known = database_.prepare("SELECT text FROM files WHERE owner = ?1 AND id = ?2");
      if (!known.bind(owner, file.id).step()) {
        file.created = now();
        insert_file(owner, file);
      } else if (known.text(0) != file.text) {
        refuse(Code::conflict, "file {}: there is another one with this id", file.id);
      }
    }
    database_
        .prepare("INSERT INTO conversations (owner, id, title, created, updated) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(owner, conversation.id, conversation.title, conversation.created, conversation.updated)
        .run();
    const int64_t key = database_.last_row();
    for (const Node& node : conversation.nodes) {
      if (find_node(owner, node.id))
        refuse(Code::conflict, "node {}: there is another one with this id", node.id);
      insert_node(owner, key, node);
    }
    if (conversation.leaf) {
      database_
          .prepare(
              "UPDATE conversations SET leaf = (SELECT key FROM nodes WHERE conversation = ?1 AND id = ?2) "
              "WHERE key = ?1")
          .bind(key, *conversation.leaf)
          .run();
    }
    ++counts.imported;
  }
  transaction.commit();
  return counts;
}

}  // namespace r1::site

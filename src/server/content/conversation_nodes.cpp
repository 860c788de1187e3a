// The store's nodes and files.
#include <algorithm>
#include <set>
#include <string_view>

#include "server/content/conversation_rows.h"
#include "server/content/conversation_store.h"
#include "server/content/site_error.h"

namespace r1::site {
namespace {

using Code = SiteError::Code;

int64_t bytes_of(const Node& node) {
  return std::ssize(node.content) + std::ssize(node.reasoning) + ConversationStore::kRowBytes;
}

int64_t bytes_of(const StoredFile& file) {
  return std::ssize(file.text) + ConversationStore::kRowBytes;
}

bool same_files(const std::vector<AttachedFile>& a, const std::vector<AttachedFile>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const AttachedFile& one, const AttachedFile& other) { return one.id == other.id; });
}

}  // namespace

std::optional<std::pair<int64_t, ConversationStore::Located>> ConversationStore::find_node(
    const std::string& owner, const std::string& id) {
  Statement found = database_.prepare(
      fmt::format("SELECT {}, (SELECT id FROM conversations WHERE key = n.conversation) FROM nodes n "
                  "WHERE n.owner = ?1 AND n.id = ?2",
                  kNodeColumns));
  if (!found.bind(owner, id).step()) return std::nullopt;
  return std::pair(found.integer(0), Located{node_of_row(found), found.text(17)});
}

ConversationStore::Located ConversationStore::read_node(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto found = find_node(owner, id);
  if (!found) refuse(Code::not_found, "node {}: there is none", id);
  return std::move(found->second);
}

void ConversationStore::insert_node(const std::string& owner, int64_t conversation, const Node& node) {
  if (!is_valid_id(node.id)) refuse(Code::invalid, "id: expected 8 to 64 of [A-Za-z0-9_-]");
  std::optional<int64_t> parent;
  if (node.parent) {
    Statement found =
        database_.prepare("SELECT key, role FROM nodes WHERE owner = ?1 AND id = ?2 AND conversation = ?3");
    if (!found.bind(owner, *node.parent, conversation).step()) {
      refuse(Code::invalid, "parent: the conversation has no node '{}'", *node.parent);
    }
    if ((found.text(1) == "user") == (node.role == Role::user)) {
      refuse(Code::invalid, "parent: '{}' is {} itself", *node.parent,
             node.role == Role::user ? "a question" : "an answer");
    }
    parent = found.integer(0);
  } else if (node.role == Role::assistant) {
    refuse(Code::invalid, "parent: an answer needs a question");
  }
  if (node.files.size() > kMaxQuestionFiles)
    refuse(Code::invalid, "files: expected at most {}, found {}", kMaxQuestionFiles, node.files.size());
  std::set<std::string_view> named;
  for (const AttachedFile& file : node.files) {
    if (!named.insert(file.id).second) refuse(Code::invalid, "files: '{}' is named twice", file.id);
  }
  const AnswerState state = node.role == Role::user ? AnswerState::done : node.state;
  database_
      .prepare(
          "INSERT INTO nodes (conversation, owner, id, parent, role, created, content, reasoning, "
          "thinking_ms, state, model, deep_think, search, error, usage, timing, request, sources) VALUES "
          "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)")
      .bind(conversation, owner, node.id, parent, node.role == Role::user ? "user" : "assistant",
            node.created, node.content, node.reasoning, node.thinking_ms, static_cast<int>(state), node.model,
            node.deep_think, node.search, dumped(node.error), dumped(node.usage), dumped(node.timing),
            dumped(node.request), *dumped(to_json(node.sources)))
      .run();
  const int64_t key = database_.last_row();
  int64_t position = 0;
  for (const AttachedFile& file : node.files) {
    database_.prepare("INSERT INTO node_files SELECT ?1, ?2, key FROM files WHERE owner = ?3 AND id = ?4")
        .bind(key, position++, owner, file.id)
        .run();
    if (database_.changed_rows() == 0) refuse(Code::invalid, "files: there is no file '{}'", file.id);
  }
}

/// What is exported can be imported.
void ConversationStore::check_length(int64_t conversation) {
  Statement count = database_.prepare("SELECT COUNT(*) FROM nodes WHERE conversation = ?1");
  count.bind(conversation).step();
  if (count.integer(0) >= static_cast<int64_t>(kMaxImportedNodes))
    refuse(Code::too_large, "a conversation has at most {} questions and answers", kMaxImportedNodes);
}

void ConversationStore::touch(int64_t conversation, const std::string& leaf) {
  database_
      .prepare(
          "UPDATE conversations SET updated = ?2, leaf = (SELECT key FROM nodes WHERE conversation = ?1 AND "
          "id = ?3) WHERE key = ?1")
      .bind(conversation, now(), leaf)
      .run();
}

ConversationStore::Added ConversationStore::add_question(const std::string& owner,
                                                         const std::string& conversation,
                                                         const Node& question) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  const int64_t key = conversation_row(owner, conversation).key;
  if (auto found = find_node(owner, question.id)) {
    Node& node = found->second.node;
    const bool same = found->second.conversation == conversation && node.role == Role::user &&
                      node.parent == question.parent && node.content == question.content &&
                      node.created == question.created && same_files(node.files, question.files);
    if (!same) refuse(Code::conflict, "node {}: there is another one with this id", question.id);
    return {std::move(node), false};
  }
  check_length(key);
  Node node = question;
  node.role = Role::user;
  use_room(owner, bytes_of(node));
  insert_node(owner, key, node);
  touch(key, node.id);
  Added added{find_node(owner, node.id)->second.node, true};
  transaction.commit();
  return added;
}

ConversationStore::Added ConversationStore::add_answer(const std::string& owner,
                                                       const std::string& conversation, const Node& answer) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  const int64_t key = conversation_row(owner, conversation).key;
  if (auto found = find_node(owner, answer.id)) {
    Node& node = found->second.node;
    if (node.role != Role::assistant || found->second.conversation != conversation ||
        node.parent != answer.parent) {
      refuse(Code::conflict, "node {}: there is another one with this id", answer.id);
    }
    return {std::move(node), false};
  }
  check_length(key);
  Node node = answer;
  node.role = Role::assistant;
  use_room(owner, bytes_of(node));
  insert_node(owner, key, node);
  touch(key, node.id);
  transaction.commit();
  return {std::move(node), true};
}

void ConversationStore::update_answers(const std::string& owner, std::span<const Node> answers) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  Statement update = database_.prepare(
      "UPDATE nodes SET content = ?3, reasoning = ?4, thinking_ms = ?5, state = ?6, error = ?7, usage = ?8, "
      "timing = ?9, request = ?10, sources = ?11, model = ?12 WHERE owner = ?1 AND id = ?2 AND role = "
      "'assistant'");
  for (const Node& node : answers) {
    update
        .bind(owner, node.id, node.content, node.reasoning, node.thinking_ms, static_cast<int>(node.state),
              dumped(node.error), dumped(node.usage), dumped(node.timing), dumped(node.request),
              *dumped(to_json(node.sources)), node.model)
        .run();
  }
  transaction.commit();
}

/// What everything of an owner takes, roughly: texts, and some for each row and its index.
int64_t ConversationStore::stored_bytes(const std::string& owner) {
  Statement sum = database_.prepare(
      "SELECT (SELECT coalesce(sum(length(CAST(content AS BLOB)) + length(CAST(reasoning AS BLOB)) + "
      "coalesce(length(CAST(request AS BLOB)), 0) + length(CAST(sources AS BLOB)) + ?2), 0) FROM nodes WHERE "
      "owner = ?1) + "
      "(SELECT coalesce(sum(length(CAST(text AS BLOB)) + ?2), 0) FROM files WHERE owner = ?1) + "
      "(SELECT coalesce(sum(length(CAST(title AS BLOB)) + ?2), 0) FROM conversations WHERE owner = ?1)");
  sum.bind(owner, kRowBytes).step();
  return sum.integer(0);
}

/// Counts what is about to be stored. Summing everything up costs a look at every row: done once an owner,
/// and again when the room seems used up, for something may have been removed. Under mutex_.
void ConversationStore::use_room(const std::string& owner, int64_t bytes) {
  if (owner_bytes_ == 0 || owner == unlimited_owner_) return;
  const auto [place, is_new] = used_.try_emplace(owner, 0);
  if (is_new || place->second + bytes > owner_bytes_) place->second = stored_bytes(owner);
  if (place->second + bytes > owner_bytes_)
    refuse(Code::too_large, "this would be more than the {} MiB that a key may store: delete something first",
           owner_bytes_ >> 20);
  place->second += bytes;
}

std::vector<Node> ConversationStore::branch(const std::string& owner, const std::string& conversation,
                                            const std::string& node) {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.prepare(
      "WITH RECURSIVE path (key, parent) AS (SELECT key, parent FROM nodes WHERE owner = ?1 AND id = ?2 AND "
      "conversation = ?3 UNION ALL SELECT n.key, n.parent FROM nodes n JOIN path ON n.key = path.parent) "
      "SELECT " +
      std::string(kNodeColumns) + " FROM nodes n JOIN path ON path.key = n.key ORDER BY n.key");
  rows.bind(owner, node, conversation_row(owner, conversation).key);
  std::vector<Node> nodes;
  while (rows.step()) nodes.push_back(node_of_row(rows));
  if (nodes.empty()) refuse(Code::not_found, "node {}: conversation {} has none", node, conversation);
  return nodes;
}

void ConversationStore::insert_file(const std::string& owner, const StoredFile& file) {
  database_
      .prepare(
          "INSERT INTO files (owner, id, name, bytes, characters, tokens, created, text) VALUES "
          "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
      .bind(owner, file.id, file.name, file.bytes, file.characters, file.tokens, file.created, file.text)
      .run();
}

void ConversationStore::add_file(const std::string& owner, const StoredFile& file) {
  if (!is_valid_id(file.id)) refuse(Code::invalid, "id: expected 8 to 64 of [A-Za-z0-9_-]");
  const std::lock_guard lock(mutex_);
  use_room(owner, bytes_of(file));
  insert_file(owner, file);
}

StoredFile ConversationStore::read_file_unlocked(const std::string& owner, const std::string& id) {
  Statement row = database_.prepare(
      "SELECT name, bytes, tokens, characters, created, text FROM files WHERE owner = ?1 AND id = ?2");
  if (!row.bind(owner, id).step()) refuse(Code::not_found, "file {}: there is none", id);
  StoredFile file;
  file.id = id;
  file.name = row.text(0);
  file.bytes = row.integer(1);
  file.tokens = row.integer(2);
  file.characters = row.integer(3);
  file.created = row.integer(4);
  file.text = row.text(5);
  return file;
}

StoredFile ConversationStore::read_file(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return read_file_unlocked(owner, id);
}

void ConversationStore::remove_file(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  Statement used = database_.prepare(
      "SELECT n.id FROM files f LEFT JOIN node_files a ON a.file = f.key LEFT JOIN nodes n ON n.key = a.node "
      "WHERE f.owner = ?1 AND f.id = ?2");
  if (!used.bind(owner, id).step()) refuse(Code::not_found, "file {}: there is none", id);
  if (!used.is_null(0)) refuse(Code::conflict, "file {}: the question {} has it", id, used.text(0));
  used.reset();
  database_.prepare("DELETE FROM files WHERE owner = ?1 AND id = ?2").bind(owner, id).run();
  transaction.commit();
}

int64_t ConversationStore::remove_unused_files(int64_t created_before) {
  const std::lock_guard lock(mutex_);
  database_
      .prepare(
          "DELETE FROM files WHERE created < ?1 AND NOT EXISTS (SELECT 1 FROM node_files WHERE file = "
          "files.key)")
      .bind(created_before)
      .run();
  return database_.changed_rows();
}

}  // namespace r1::site

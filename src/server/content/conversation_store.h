// The chat site's conversations, files and settings, in one SQLite file (formats/database.h says how
// durable).
//
// Everything belongs to an owner; what belongs to another owner does not exist (not_found). Ids are unique
// for each owner. All functions are safe from several threads; they throw SiteError for what the page should
// be told and Error for the file's and the disk's troubles, and change either everything or nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "formats/database.h"
#include "server/content/conversation.h"
#include "server/content/word_tokenizer.h"

namespace r1::site {

struct SummaryPage {
  std::vector<Summary> conversations;
  std::optional<std::string> next;  // cursor for what comes after
};

struct FoundConversation : Summary {
  std::optional<std::string> node;  // nothing: the title matched
  std::vector<SnippetPart> snippet;
};

class ConversationStore {
 public:
  using Clock = std::function<int64_t()>;  // ms since 1970

  /// Opens or creates the file. Answers that were running when the program ended become `stopped`.
  explicit ConversationStore(const std::filesystem::path& file, Clock clock = {});

  // Conversations.
  SummaryPage list(const std::string& owner, int limit, const std::optional<std::string>& before);
  /// Best match first, one hit a conversation: all words must be there, the last one may be a beginning.
  /// Running answers are found once they have ended.
  std::vector<FoundConversation> search(const std::string& owner, const std::string& query, int limit);
  struct Created {
    Summary summary;
    bool is_new;
  };
  Created create(const std::string& owner, const std::string& id, const std::string& title, int64_t created);
  Conversation read(const std::string& owner, const std::string& id);
  Summary change(const std::string& owner, const std::string& id, const std::optional<std::string>& title,
                 const std::optional<std::string>& leaf);
  /// Also deletes the files that nothing else has. The caller stops running answers first.
  void remove(const std::string& owner, const std::string& id);
  void remove_all(const std::string& owner);

  // Nodes.
  struct Added {
    Node node;
    bool is_new;
  };
  /// A question; its files are named by their ids. The same again is no change; another with its id:
  /// conflict.
  Added add_question(const std::string& owner, const std::string& conversation, const Node& question);
  /// An answer that begins to run. An answer with its id: returned as it is.
  Added add_answer(const std::string& owner, const std::string& conversation, const Node& answer);
  /// Writes answers as they stand now, all in one transaction (id and parent say which; both cannot change).
  /// Those that are not there any more are passed over. Call it once a second for all that run.
  void update_answers(const std::string& owner, std::span<const Node> answers);
  struct Located {
    Node node;
    std::string conversation;
  };
  Located read_node(const std::string& owner, const std::string& id);
  /// From the first question to this node.
  std::vector<Node> branch(const std::string& owner, const std::string& conversation,
                           const std::string& node);

  // Files: texts that were extracted.
  void add_file(const std::string& owner, const StoredFile& file);
  StoredFile read_file(const std::string& owner, const std::string& id);
  /// conflict: a node has it.
  void remove_file(const std::string& owner, const std::string& id);
  /// Deletes the files older than that which no node has; returns how many.
  int64_t remove_unused_files(int64_t created_before);

  // Settings: the fields and defaults of docs/site-api.md.
  Json settings(const std::string& owner);
  /// Unknown fields and wrong types are refused by name.
  Json change_settings(const std::string& owner, const Json& patch);

  // Export and import.
  Json export_conversation(const std::string& owner, const std::string& id);  // the same form, of one
  struct ExportPart {
    std::string document;         // JSON, which import() takes
    std::optional<int64_t> next;  // export_part(owner, next) has what follows; nothing: it was the last
  };
  /// The conversations behind `after`, as many as one import takes; at least one, if there is one.
  ExportPart export_part(const std::string& owner, int64_t after = 0);
  std::string export_markdown(const std::string& owner, const std::string& id);
  struct Imported {
    int64_t imported = 0, skipped = 0;
  };
  /// All or nothing. Conversations whose id exists are skipped; a node or another file with an id that is
  /// taken is a conflict.
  Imported import(const std::string& owner, std::string_view document);

  void check_integrity();

  static constexpr int64_t kRowBytes = 1024;  // a row with its keys and indexes, beside its texts
  /// What an owner may store; but for `unlimited_owner`, who runs the server. 0: no limit. Beyond it adding
  /// throws SiteError(too_large). Answers that are being written are stored all the same.
  void set_quota(int64_t owner_bytes, const std::string& unlimited_owner) {
    owner_bytes_ = owner_bytes;
    unlimited_owner_ = unlimited_owner;
  }

 private:
  struct Row {
    int64_t key;
    Summary summary;
  };
  int64_t now() const { return clock_(); }
  Row conversation_row(const std::string& owner, const std::string& id);
  std::optional<Row> find_conversation(const std::string& owner, const std::string& id);
  std::optional<std::pair<int64_t, Located>> find_node(const std::string& owner, const std::string& id);
  std::vector<AttachedFile> attached_files(int64_t node);
  Node node_of_row(Statement& row);
  Conversation read_unlocked(const std::string& owner, const std::string& id);
  void check_length(int64_t conversation);
  void insert_node(const std::string& owner, int64_t conversation, const Node& node);
  void insert_file(const std::string& owner, const StoredFile& file);
  void touch(int64_t conversation, const std::string& leaf);
  void remove_row(int64_t conversation);
  StoredFile read_file_unlocked(const std::string& owner, const std::string& id);
  Json export_unlocked(const std::string& owner, const std::string& id);

  int64_t stored_bytes(const std::string& owner);
  void use_room(const std::string& owner, int64_t bytes);

  std::mutex mutex_;
  Database database_;
  Clock clock_;
  int64_t owner_bytes_ = 0;
  std::string unlimited_owner_;
  std::map<std::string, int64_t> used_;  // bytes by owner, of those who stored something since the start
};

}  // namespace r1::site

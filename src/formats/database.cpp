#include "formats/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/error.h"

namespace r1 {
namespace {

constexpr int kBusyMilliseconds = 10'000;

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const int cause = sqlite3_extended_errcode(database_->handle_);
  try {
    database_->fail(cause);
  } catch (...) {
    sqlite3_reset(handle_);
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

void Statement::bind_one(int position, std::nullptr_t) {
  if (const int code = sqlite3_bind_null(handle_, position)) database_->fail(code);
}

void Statement::bind_one(int position, int64_t value) {
  if (const int code = sqlite3_bind_int64(handle_, position, value)) database_->fail(code);
}

void Statement::bind_one(int position, double value) {
  if (const int code = sqlite3_bind_double(handle_, position, value)) database_->fail(code);
}

void Statement::bind_one(int position, std::string_view value) {
  // A null pointer would bind NULL.
  const char* bytes = value.empty() ? "" : value.data();
  const int code = sqlite3_bind_text64(handle_, position, bytes, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) database_->fail(code);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

double Statement::number(int column) const {
  return sqlite3_column_double(handle_, column);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(handle_, column))};
}

std::optional<int64_t> Statement::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

Database::Database(const std::filesystem::path& file) : name_(file.string()) {
  if (name_ != ":memory:") {
    // Made here because SQLite would make it readable by everyone; its log files copy the mode.
    const int descriptor = ::open(name_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
      throw_error(ErrorKind::io, "{}: cannot open the database: {}", name_, std::strerror(errno));
    }
    ::close(descriptor);
  }
  const int code = sqlite3_open_v2(
      name_.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, nullptr);
  try {
    if (code != SQLITE_OK) fail(code);
    sqlite3_busy_timeout(handle_, kBusyMilliseconds);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    execute("PRAGMA foreign_keys=ON");
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() {
  sqlite3_close(handle_);
}

void Database::fail(int code) const {
  const std::string what = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  const bool no_space = handle_ && sqlite3_system_errno(handle_) == ENOSPC;
  switch (code & 0xff) {
    case SQLITE_FULL:
      throw_error(ErrorKind::io, "{}: the disk is full: the change was not saved", name_);
    case SQLITE_IOERR:
      if (no_space) throw_error(ErrorKind::io, "{}: the disk is full: the change was not saved", name_);
      throw_error(ErrorKind::io, "{}: the system refused to read or write the database: {}: {}", name_, what,
                  std::strerror(sqlite3_system_errno(handle_)));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw_error(ErrorKind::io, "{}: cannot write the database: {}", name_, what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw_error(ErrorKind::io, "{}: the database has been locked by another program for more than {} s",
                  name_, kBusyMilliseconds / 1000);
    case SQLITE_CORRUPT:
      throw_error(ErrorKind::bad_file, "{}: the database is damaged: {}", name_, what);
    case SQLITE_NOTADB:
      throw_error(ErrorKind::bad_file, "{}: not a database", name_);
    case SQLITE_CONSTRAINT:
      throw_error(ErrorKind::invalid_argument, "{}: {}", name_, what);
    case SQLITE_TOOBIG:
      throw_error(ErrorKind::invalid_argument, "{}: a text is longer than a database holds", name_);
    case SQLITE_NOMEM:
      throw std::bad_alloc();
    default:
      throw std::logic_error(fmt::format("{}: SQLite says {}: {}", name_, code, what));
  }
}

void Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

Statement Database::prepare(std::string_view sql) const {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &handle, nullptr);
  if (code != SQLITE_OK) fail(code);
  return {*this, handle};
}

int64_t Database::last_row() const {
  return sqlite3_last_insert_rowid(handle_);
}

int64_t Database::changed_rows() const {
  return sqlite3_changes64(handle_);
}

void Database::migrate(std::string_view component, std::span<const Migration> migrations) {
  Transaction transaction(*this);
  execute(
      "CREATE TABLE IF NOT EXISTS schema_migrations (component TEXT NOT NULL, version INTEGER NOT NULL, "
      "name TEXT NOT NULL, applied INTEGER NOT NULL, PRIMARY KEY (component, version))");
  Statement newest = prepare("SELECT coalesce(max(version), 0) FROM schema_migrations WHERE component = ?1");
  newest.bind(component).step();
  const int64_t version = newest.integer(0);
  newest.reset();
  const auto known = static_cast<int64_t>(migrations.size());
  if (version > known) {
    throw_error(ErrorKind::unsupported, "{}: version {} of '{}' was written by a newer r1; this one knows {}",
                name_, version, component, known);
  }
  for (int64_t next = version; next < known; ++next) {
    execute(migrations[static_cast<size_t>(next)].sql);
    prepare("INSERT INTO schema_migrations VALUES (?1, ?2, ?3, unixepoch() * 1000)")
        .bind(component, next + 1, migrations[static_cast<size_t>(next)].name)
        .run();
  }
  transaction.commit();
}

void Database::check_integrity() const {
  Statement pages = prepare("PRAGMA integrity_check(1)");
  if (!pages.step() || pages.text(0) != "ok") {
    throw_error(ErrorKind::bad_file, "{}: the database is damaged: {}", name_, pages.text(0));
  }
  Statement keys = prepare("PRAGMA foreign_key_check");
  if (keys.step()) {
    throw_error(ErrorKind::bad_file, "{}: row {} of table {} refers to a row of {} that is not there", name_,
                keys.integer(1), keys.text(0), keys.text(2));
  }
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // SQLite has rolled back by itself after some errors (a full disk); then there is nothing to do.
  if (open_ && sqlite3_get_autocommit(database_.handle()) == 0) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace r1

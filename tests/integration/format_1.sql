BEGIN TRANSACTION;
CREATE TABLE chunks (
    chunk_id TEXT PRIMARY KEY, content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, page_start INTEGER NOT NULL,
    page_end INTEGER NOT NULL, page_offsets TEXT NOT NULL, text_hash TEXT NOT NULL, text TEXT NOT NULL
);
INSERT INTO "chunks" VALUES('057a420ac1daf747f3c7ecc25f844766','1a5509e270e92cc3fb3a8fee9a54f5b3b478b727eed8cec2953f6fe497923f12',0,0,10,1,1,'[0]','a56411cfd3eb0c9b29ff8f9df7440c24a5cdee71f3bb78e58bedb7c2859e94df','长江是中国第一大河。');
INSERT INTO "chunks" VALUES('66bf7537b958a6d5667f8d22039fd046','1a5509e270e92cc3fb3a8fee9a54f5b3b478b727eed8cec2953f6fe497923f12',1,10,27,1,1,'[0]','d7d4d7b661344bec5d9524dbbbb487eb5d52a3fc9b41ec0c0b238a16fe80960d','它流经十一个省区市，最后注入东海。');
CREATE TABLE documents (
    content_hash TEXT PRIMARY KEY, n_pages INTEGER NOT NULL, n_chars INTEGER NOT NULL, loader TEXT NOT NULL
);
INSERT INTO "documents" VALUES('1a5509e270e92cc3fb3a8fee9a54f5b3b478b727eed8cec2953f6fe497923f12',1,27,'txt');
CREATE TABLE embeddings (text_hash TEXT PRIMARY KEY, vector BLOB NOT NULL);
INSERT INTO "embeddings" VALUES('a56411cfd3eb0c9b29ff8f9df7440c24a5cdee71f3bb78e58bedb7c2859e94df',X'8F8441BF8F84C13E8F84C1BE8F84C13E');
INSERT INTO "embeddings" VALUES('d7d4d7b661344bec5d9524dbbbb487eb5d52a3fc9b41ec0c0b238a16fe80960d',X'A532843EA532843EA532043FF84B463F');
CREATE TABLE files (
    path TEXT PRIMARY KEY, content_hash TEXT REFERENCES documents, size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('indexed', 'failed')), problems TEXT NOT NULL
);
INSERT INTO "files" VALUES('/documents/江.txt','1a5509e270e92cc3fb3a8fee9a54f5b3b478b727eed8cec2953f6fe497923f12',81,1795547388000339708,'indexed','[]');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('format_version','1');
INSERT INTO "meta" VALUES('embedding','{"model": "hash-2", "dimension": 4, "query_prefix": "", "passage_prefix": "", "pooling": "n-gram sum"}');
INSERT INTO "meta" VALUES('splitter','{"splitter": "chinese-1", "chunk_size": 20, "chunk_overlap": 0, "length": "characters"}');
INSERT INTO "meta" VALUES('dirty','false');
CREATE TABLE pages (
    content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE, page INTEGER NOT NULL,
    start INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (content_hash, page)
);
INSERT INTO "pages" VALUES('1a5509e270e92cc3fb3a8fee9a54f5b3b478b727eed8cec2953f6fe497923f12',1,0,'长江是中国第一大河。它流经十一个省区市，最后注入东海。');
CREATE INDEX files_by_hash ON files (content_hash);
CREATE INDEX chunks_by_document ON chunks (content_hash, ordinal);
CREATE INDEX chunks_by_text ON chunks (text_hash);
COMMIT;

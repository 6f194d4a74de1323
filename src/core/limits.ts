/**
 * Every bound of Weir beside its reason. Units are in the names. The relations between bounds are asserted
 * at the end: a change that breaks one fails at start-up and in the tests.
 */
import { assert } from "./assert.ts";

// --- permits (design: send instants; measured in the protocol's simulation) ---

/**
 * How late a permit may be used. Longer wastes fewer permits and allows a larger burst: 40 ms kept the rate of 50 ms
 * (20.4 s for 20,000 calls at 1,000/s either way) and took the largest burst of three runs from 73 to 44.
 */
export const GRACE_MS = 40;
/** The shortest grace a small `quota.burst` can bring: below it every timer of the platform is late. */
export const MIN_GRACE_MS = 5;
/** Error of an invocation's picture of the Run's clock: half the least round trip, 5–15 ms measured. */
export const CLOCK_ERROR_MS = 25;
/** How far ahead an invocation asks, so that no lane waits for the round trip. */
export const LEAD_MS = 200;
/** How far ahead of now instants are given out. Depth is what a 429 costs: instants in the wrong hands. */
export const DEPTH_MS = 1500;
/** Run 0.1 % below the quota: 0.2 % above it means 429s for ever, 0.1 % below costs nothing. */
export const HEADROOM = 0.001;
/** The Run stores how far it has issued in steps of this much, not at every grant. */
export const ISSUED_STEP_MS = 500;
/** Without a quota an answer lets calls go this long, so that pause acts within 2 s. */
export const FREE_MS = 1000;
/** An invocation asks at least this often while few are live; see `pollMs`. */
export const POLL_MS = 1000;
/** With many invocations the poll is spread so that polls alone stay below 100/s. */
export const POLL_MS_PER_INVOCATION = 10;
export const PERMITS_PER_ASK = 5000;
/** Permits for a lane in one answer where its invocation has few of them. */
export const ROUNDS_MOST = 3;

// --- permits for single hosts ---

/** An instant for a host is given out this far ahead: further ahead it would hold back other hosts' calls. */
export const HOST_AHEAD_MS = LEAD_MS;
/** Instants for hosts in one answer: as many as an invocation has lanes, on a machine of one's own. */
export const HOST_PERMITS_PER_ASK = 256;
/** What the grace of a call may cost a host's rate at most. */
export const HOST_SPACING_SHARE = 1 / 25;
/** Hosts that rest at once and are remembered, by the Run and by an invocation: about 1 MB. */
export const HOSTS_TRACKED = 10_000;
/** Slowest `quota.perHost`: a redirect waits in its lane for its host, and a slice is to end. */
export const MIN_HOST_RATE_PER_SECOND = 1 / 60;
/** How long a host is left alone that throttled a call and did not say for how long. */
export const HOST_REST_MS = 5000;

// --- tokens (a second dimension of the quota, and a cost of their own for each call) ---

/** The most tokens of one call where no `tokenBurst` is given: what a minute brings, as providers count them. */
export const TOKEN_BURST_MS = 60_000;
/** Unused reservations make up for at most this much of the rate: what a target must tolerate beside one call. */
export const TOKEN_CREDIT_MS = 3000;
/** Of a call's distance to the next this share may be paid with credit: making up never means calls all at once. */
export const TOKEN_CREDIT_SHARE = 0.9;
/** What a target says of its own ledger holds calls up for at most this long: then it must say so with a 429. */
export const TOKEN_TOLD_MAX_MS = 60_000;
/** Reserved for an answer of which nothing is known: no `maxTokens`, no answer seen. */
export const UNKNOWN_OUTPUT_TOKENS = 1000;
/** Prompts whose tokens are counted for a plan, and their characters together: a second's work at most. */
export const PROMPTS_COUNTED = 200;
export const PROMPTS_COUNTED_CHARS = 1_000_000;
/** Answers whose length is remembered: 100 give a 95th percentile, and a changed prompt is learnt in as many calls. */
export const OUTPUTS_KEPT = 100;
export const OUTPUTS_TO_LEARN = 3;
/**
 * How late a permit with a cost may be used where no rate of requests is given: such calls are seconds apart, and what
 * this adds to a window is a quarter of a second of the rate.
 */
export const COSTED_GRACE_MS = 250;
/** Lanes that wait for tokens: more than the mean says, because ten short calls may come in a row. */
export const COSTED_LANES_SPARE = 3;
/** A waiting call that was not heard of for so many polls is not waited for. */
export const COSTED_SILENT_POLLS = 2;
export const MAX_BUDGET = 1e15;

// --- leases ---

export const LEASE_TTL_MS = 30_000;
/** Renewed when a third of the term has passed. */
export const LEASE_RENEW_MS = LEASE_TTL_MS / 3;
/** The Run frees a lease this much after the term it gave: clocks drift by up to 500 ppm, messages take time. */
export const LEASE_MARGIN_MS = 1000;
/** A lane without a permit for this long gives its chunk back. */
export const STARVED_MS = 5000;

// --- requests of an invocation (the lanes and their simulation keep the same) ---

/** Two requests of one invocation lie at least this far apart. */
export const SYNC_SPACING_MS = 5;
/** A request that leaves anyway asks for permits this much early: asking for few at a time costs requests. */
export const SYNC_RIDE_MS = 25;
/** A request without an answer is sent again after this, doubling to the second. */
export const SYNC_RETRY_FIRST_MS = 50;
export const SYNC_RETRY_MAX_MS = 2000;
/** A fresh invocation that holds no lease tries this long to reach the Run. */
export const FIRST_CONTACT_MS = 10_000;
/** Free calls are asked for again this long before they end, plus a round trip. */
export const FREE_EARLY_MS = 100;
/** A lane waits for the commit that gives its lease back: others that end at the same moment may join. */
export const RELEASE_WITHIN_MS = 5;
/** A commit nobody waits for rides along with what leaves anyway, at the latest after this. */
export const COMMIT_WITHIN_MS = POLL_MS;
/** A throttled or failed call is told this soon: others of the same moment go along. */
export const TROUBLE_WITHIN_MS = 20;
/** An invocation without a lane asks this often, and ends after `IDLE_MS`. */
export const IDLE_ASK_MS = 250;
export const IDLE_MS = 1000;
/** A lane asks a platform that refuses (R2, its source) again after this, doubling to the second. */
export const INSIST_FIRST_MS = 100;
export const INSIST_MAX_MS = 5000;

// --- lanes and slices ---

/** A side lane goes on to a lane that has more items than this for each that works on them. */
export const LEAST_ITEMS_EACH = 1;
/**
 * A side lane that could do nothing for so many lanes in a row gives its slot back: two lanes whose items all wait would
 * else pass it to each other for ever, and nothing else in the process would go on.
 */
export const FRUITLESS_MOST = 2;
/** So many items have to be left for each lane on a chunk: fewer are not worth a side lane's requests. */
export const ITEMS_PER_LANE = 3;

/** Calls that wait for headers at once in one invocation: the platform queues a seventh invisibly. */
export const LANES_PER_INVOCATION_DEPLOYED = 5;
export const CHUNK_QUEUES = 4;
/** Plans, indexing and joins are asked for by this one of them. */
export const ERRANDS_QUEUE = 0;
/** A consumer invocation is ended by the platform after 15 minutes. */
export const PLATFORM_CONSUMER_MS = 15 * 60_000;
/** First slice: short, because the platform's autoscaler decides only when a batch ends; then doubling. */
export const SLICE_FIRST_MS = 15_000;
export const SLICE_MAX_MS = 10 * 60_000;
/** Locally a queue dispatches one batch at a time: short slices let several runs share it. */
export const SLICE_LOCAL_MS = 10_000;
/** So many slices in a row while nobody waits; what an invocation leaves in memory goes with it. */
export const SLICES_LOCAL_MOST = 12;
export const DEFERRED_PER_CHUNK = 100;
/** If only deferred items are left and the first is further away, the chunk is given back. */
export const DEFERRED_WAIT_MS = 5000;
export const OFFER_REPEAT_MS = 5000;
export const OFFER_REPEAT_MAX_MS = 5 * 60_000;
/** A chunk whose platform refused is not offered again before this, doubling to the second. */
export const REFUSED_OFFER_MS = 1000;
export const REFUSED_OFFER_MAX_MS = 60_000;
/** Tries of an item that a busy target refuses beyond its attempts: with three calls in ten, one item in 100,000 fails. */
export const BUSY_TRIES = 5;
/** So many items that failed and were served later say that failures of the target pass. */
export const RECOVERIES_TO_TELL = 3;
export const TROUBLES_PER_REPORT = 200;
/** Items after its checkpoint that a chunk is worked carefully: what a dead lane may have begun of it, twice over. */
export const CAREFUL_ITEMS = 200;
/** An item announced at this many expiries becomes a failed row. */
export const EXPIRIES_TO_FAIL_ITEM = 3;

// --- retry, throttling, circuit ---

/** The longest `retry.maxRetryAfterMs`, and the longest announced wait that is believed: quotas are at most daily. */
export const RETRY_AFTER_MAX_MS = 24 * 3_600_000;
/**
 * What a Retry-After is heeded for where a spec does not say: most quotas are hourly at most, and some servers ask for a
 * day although they answer again within the minute. Then the item asks again.
 */
export const RETRY_AFTER_HEEDED_MS = 3_600_000;
/**
 * An item is given up after so many throttled tries, however little it has waited in all (`maxDelayMs` may be short):
 * with the default delays an hour takes 127 of them at most.
 */
export const THROTTLED_TRIES_MOST = 200;
/** A shared pause lasts at most this; then single calls probe. */
export const SHARED_PAUSE_MAX_MS = 60_000;
export const THROTTLED_ITEMS_TO_PAUSE = 3;
/** The shortest wait that Retry-After can ask for, in whole seconds: it says little of how long it takes. */
export const SHORT_WAIT_MS = 1000;
/** A window takes more calls than this: fewer between two pauses are a rate that is far too high. */
export const WINDOW_CALLS = 20;
/** Throttled without a word and with no answer for so long, the target's window is closed: longer than most calls take. */
export const CLOSED_WINDOW_MS = 5000;
/**
 * Times an item that is not ready is asked for where a spec does not say: with the default delays twenty minutes,
 * longer than reports usually take to be made, and a run does not wait for hours for one that never is.
 */
export const MAX_AGAIN = 30;
/** One decrease takes the rate to no less than this share: a moment of refusals is not proof of a wall. */
export const RATE_DECREASE_FLOOR = 0.1;
/** Refused calls that are worth the rate: GCRA with burst 1 uses most of its rate at some per mille. */
export const RARE_REFUSALS = 0.01;
/** A larger share of refused calls is no chance, once the excess adds up to `TRIAL_SCORE` calls. */
export const REFUSED_MOST = 0.02;
export const TRIAL_SCORE = 4;
/** What was taken is measured over about this long, or so many calls if that is longer. */
export const EVIDENCE_MS = 1000;
export const EVIDENCE_CALLS = 10;
/** Growth per second of a rate that holds, as a share of it; doubled after each `QUIET_MS` without a refusal. */
export const HOLDING_GROWTH = 0.002;
export const QUIET_MS = 5000;
/** One rare refusal takes at most this share off. */
export const STEP_DOWN_MOST = 0.03;
/** Growth per second of a rate that was lowered by a guess, up to this share of where it was refused. */
export const SEEKING_GROWTH = 0.08;
/** … or this share of the way to there, if that is more. */
export const SEEKING_GAP = 0.25;
export const SEEKING_TO = 0.98;
/** Reports with a refusal that end the search, and what it then takes back: it grew by so much until they came. */
export const SEEKING_REFUSALS = 2;
export const SEEKING_BACK = 0.02;
/** A rate grows while this share of it is used, one whose limit is not known while this one is. */
export const RATE_USED = 0.7;
export const RATE_USED_STARTING = 0.5;
/** Up to this share of refused calls they may be sent too unevenly, and not too fast. */
export const UNEVEN_MOST = 0.5;
/** What is taken off a rate that may only be uneven. */
export const UNEVEN_STEP = 0.08;
/** A call may leave so much sooner than its distance to others says, where they are kept apart: timers are so exact. */
export const SPACED_MS = 4;
/** They are kept apart by this share of their distance: the rest is for making up what a late timer held back. */
export const SPACING_SHARE = 0.95;
/** Where less than this share of the rate is used, calls may be kept apart too strictly. */
export const LOOSEN_USED = 0.93;
export const LOOSEN_FIRST_MS = 3000;
export const LOOSEN_MOST_MS = 600_000;
/** Where a rate begins whose limit is not known. */
export const FIRST_RATE_PER_SECOND = 10;
/** Without an item that was throttled twice the rate falls to this share and no further: a limit told twice too high. */
export const UNPROVEN_FLOOR = 0.4;
/** With fewer calls in an interval of a ramp their mean duration says little. */
export const RAMP_LATENCY_CALLS = 20;
/** Calls that take this much longer say more of the machine that makes them than of the target. */
export const RAMP_LATENCY_LEAST_MS = 25;
/** An interval of a ramp that was dirty again and again: an hour later the target may be another. */
export const RAMP_MOST_MS = 3_600_000;
/** Steps of a ramp that a run remembers: from 1 % to all in steps of 1 % is twice as many, and nobody reads them. */
export const RAMP_STEPS_KEPT = 50;
/** Different items in a row that ended down: fewer are a list's bad ids more often than a target that is down. */
export const CIRCUIT_OPENS_AFTER = 10;
/** Doubled up to this by false alarms: where every first try fails, retries come in between by then. */
export const CIRCUIT_OPENS_AFTER_MAX = 320;
/** Open for less, it was a false alarm: the first probes were answered. */
export const FALSE_ALARM_MS = 5000;
/** A silence of so many failures opens the circuit after this, also where fewer items are left: before the last of five tries. */
export const SILENCE_FAILURES = 3;
export const SILENCE_MS = 5000;
/** Nobody's item is to blame for a connection that is not made. */
export const UNREACHED_SILENCE_MS = 1000;
export const PROBE_FIRST_MS = 1000;
export const PROBE_MAX_MS = 30_000;
/** A target that takes connections is asked this often: among seven untried items in 15 s a good one is found. */
export const PROBE_CONNECTED_MS = 1000;
/** … and so often where the circuit opened again in one silence: each of these probes may put off one more item. */
export const PROBE_CONNECTED_MAX_MS = 4000;
/** Connections are made and nobody is answered: a restart behind a load balancer is over by then, and a list of bad ids is not kept for longer. */
export const CONNECTED_PATIENCE_MS = 15_000;
export const CONNECTED_PATIENCE_MAX_MS = 120_000;
/**
 * The circuit is open for so long in all while connections are made, as far as it is not forgotten: one opening and the
 * most of another. Rows of bad items open it again and again: 2,000 items in rows of 10 took 26 minutes, not 5.
 */
export const HELD_MOST_MS = 15_000;
/** … and so long where it opens again in the same silence: an outage of eight minutes costs a long run no item. */
export const HELD_LONG_MOST_MS = 480_000;
/** Of what it was open for so much is forgotten, as a share of the time since: ten seconds in a few minutes. */
export const HELD_FORGOTTEN = 1 / 20;
/** With less left than this it does not open: it takes some probes to find one that is answered. */
export const HELD_ROOM_MS = 5000;
/** The circuit opens again in the same silence only where more items than this are left: a short list ends soon. */
export const REOPENS_ABOVE_ITEMS = 1000;
/** More than stand in a row of bad items as lists usually have them. */
export const REOPENS_AFTER = 60;
/** What fails after that is soon enough for its items' tries: at most 100 items of a chunk wait, and no new ones come. */
export const REOPENS_AGAIN_AFTER = 20;
/** An item's tries are given back in so many openings at most, unless it got no connection. */
export const EXCUSED_OPENINGS = 8;
/** Calls that left before a failure and were answered this much after it prove that the target was up. */
export const ANSWERED_AFTER_MS = 1000;
export const REFUSED_TO_PAUSE = 20;
/** An account that is said to be used up is so for everybody: three items rule out one with an account of its own. */
export const USED_UP_TO_PAUSE = 3;
/** Refused items that a run remembers: more than lanes have under way when it pauses; 8 KB in its state. */
export const REFUSED_ITEMS_KEPT = 1000;
/** Of what a refused call was answered so much travels to the Run: the reason of a pause is one sentence. */
export const REFUSAL_CHARS = 200;
/** And of what a call that ended down met: it stands in `why`, which is one sentence too. */
export const FAULT_CHARS = 200;
export const TOLERATE_FROM_ITEMS = 50;

// --- spec ---

export const MAX_SPEC_BYTES = 1_500_000;
/** Mistakes of one spec that are reported at once: who makes more of them has mistaken the file. */
export const PROBLEMS_SHOWN = 20;
/** Levels of lists and objects in a body: what walks through them calls itself for each, and 1,800 were too many. */
export const MAX_JSON_LEVELS = 100;
/** Levels of an answer that are looked through for secrets: 2,000 calls in each other are safe on every stack. */
export const MASKED_LEVELS = 2000;
/** As many as servers take by default (Apache: 100), and 8 KB in each as most do. */
export const MAX_HEADERS = 100;
export const MAX_HEADER_CHARS = 8192;
export const MAX_CHUNK_SIZE = 100_000;
export const MAX_CHUNKS = 1_000_000;
export const MAX_PARALLELISM = 5000;
export const MAX_RATE_PER_SECOND = 1_000_000;
/** Slowest rate accepted: one call a day. */
export const MIN_RATE_PER_SECOND = 1 / 86_400;
export const MAX_INLINE_ITEMS = 10_000;
export const MAX_INLINE_BYTES = 1_000_000;
export const CHUNKS_PER_PLAN_CALL = 1000;
/** A call that outlasts the slice it began in still ends before the platform ends the invocation. */
export const MAX_CALL_TIMEOUT_MS = 4 * 60_000;
/** On a machine of one's own no platform ends an invocation; models that do research answer after 5 to 20 minutes. */
export const MAX_LOCAL_CALL_TIMEOUT_MS = 30 * 60_000;
/**
 * A task of one's own that does nothing of which Weir knows for this long waits for what never comes: its item becomes
 * a failed row. As long as the longest call where it is deployed; what computes for longer freezes its lane anyway.
 */
export const TASK_SILENT_MS = MAX_CALL_TIMEOUT_MS;
/** A task that does not end when its lane has to stop is left after this: to roll back takes less. */
export const TASK_STOPS_WITHIN_MS = 5000;
/** What one lane may hold of one answer; a deployed invocation has 128 MB for five lanes and their parts. */
export const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;
/** Of an answer that is not wanted this much is read, so that its connection can be used again. */
export const DRAIN_BYTES = 64 * 1024;
export const MAX_REDIRECTS = 20;
/** workerd keeps an idle connection for 5 s; what lies between an answer and its end comes on top. */
export const CONNECTION_KEPT_MS = 6000;
/** Idle connections counted of one origin, and origins: a wrong count costs a repeat, no row. */
export const OPEN_CONNECTIONS_COUNTED = 1000;
export const ORIGINS_COUNTED = 1000;
/** Repeats of one call whose connection was used before: where every second request of one is lost, 1 call in 10^6. */
export const REPEATS_MOST = 20;
/** Items in one call; all of them may wait for another try at once, beside `DEFERRED_PER_CHUNK`: 70 KB in the ledger. */
export const MAX_BATCH = 1000;
/** Characters of a call's items together: what a lane holds of them, and well below what servers take in a body. */
export const BATCH_CHARS = 2_000_000;
/** 32 random characters of a token cannot be guessed at any rate the platform serves. */
export const MIN_TOKEN_CHARS = 32;
/** A shorter secret cannot be told from ordinary text, so it could not be masked: it counts as missing. */
export const SECRET_MIN_CHARS = 4;

// --- what answers mean ---

/** Rules of one spec: each is looked at for every answer. */
export const ANSWER_RULES_MOST = 50;
/** Steps of one pattern: with the text below, the dearest pattern costs a fraction of a second and not more. */
export const PATTERN_STEPS_MOST = 300;
export const PATTERN_REPEATS_MOST = 100;
export const PATTERN_CHARS_MOST = 500;
/** Of an answer's text this much is matched by rules: what tells one page from another stands in its head. */
export const RULE_TEXT_CHARS = 65_536;
/** Of an answer's text this much is searched for the words of a throttled or used-up account: errors are short. */
export const CLASS_TEXT_CHARS = 4096;

// --- databases ---

/** A database that does not take a connection within this is away. */
export const POSTGRES_CONNECT_MS = 10_000;
/** An idle connection is kept at least this long by the server: lanes wait that long for a permit. */
export const POSTGRES_IDLE_LEAST_MS = STARVED_MS;
/** A statement's limit when a spec names none: half of what Hyperdrive allows. */
export const POSTGRES_TIMEOUT_MS = 30_000;
/** What one statement may return: a report of a range, not its rows. */
export const POSTGRES_MAX_ROWS = 1000;
export const POSTGRES_MAX_CHARS = 100_000;
/** Records in one insert: many enough that the round trip is nothing, few enough to be done in milliseconds. */
export const LOAD_PAGE_ROWS = 1000;
/** Characters of one insert's records: what a lane holds of a file besides one line. */
export const LOAD_PAGE_CHARS = 2_000_000;

// --- pages ---

/** A row is for one page; what needs more fields is a program of its own. */
export const MAX_FIELDS = 50;
/** Matches of one field of a page: with all fields they stay far below a row's part. */
export const MAX_FIELD_VALUES = 1000;
/** RFC 9309 wants at least 500 KiB of a robots.txt to be read; what is beyond is not. */
export const ROBOTS_BYTES = 512 * 1024;
/** Redirects of a robots.txt that are followed: RFC 9309 wants at least five. */
export const ROBOTS_REDIRECTS = 5;
/** RFC 9309: a robots.txt is asked for again after a day. */
export const ROBOTS_KEPT_MS = 24 * 3_600_000;
/** Hosts whose robots.txt an isolate keeps: most are a kilobyte. */
export const ROBOTS_HOSTS_KEPT = 2000;
/** Characters of robots.txt an isolate keeps in all; parsed they take about twice that. */
export const ROBOTS_CHARS_KEPT = 8_000_000;
/** While another lane fetches a robots.txt, items of its host are put off by this. */
export const ROBOTS_WAIT_MS = 250;
/** A `Crawl-delay` beyond this counts as this: an item waits in its lane that long between two hops. */
export const CRAWL_DELAY_MAX_MS = 60_000;

// --- the machine of one's own ---

/**
 * Files and connections that may be open: databases, logs and pipes take 60, each lane one or two. With 64 the runtime
 * never came up, with 100 calls failed as if the target were down; systems give 256 (macOS) or 1,024 and more.
 */
export const OPEN_FILES_LEAST = 256;

// --- what tasks say on their console ---

/** Lines that reach the terminal in a second: more nobody reads, and a bar that is redrawn after each flickers. */
export const TASK_LINES_PER_SECOND = 20;
/** Characters of one of them: a few lines of a terminal. */
export const TASK_LINE_CHARS = 500;
/** Lines kept until somebody listens: a run may go on before its progress is shown. */
export const TASK_LINES_KEPT = 100;

// --- rows and parts ---

export const MAX_ROW_ITEM_BYTES = 4096;
export const MAX_ERROR_MESSAGE_CHARS = 500;
/** Of a failed row's answer: a sentence of it in the message, and its beginning as it is; both leave rows small. */
export const ANSWER_WORDS_CHARS = 300;
export const MAX_ERROR_DETAIL_BYTES = 1024;
/** Headers kept beside a value, and characters of each and of the URL that answered: a row is not a log. */
export const MAX_KEPT_HEADERS = 20;
export const MAX_KEPT_HEADER_CHARS = 2000;
/** An answer that says what went wrong is read this far for its words: no further than it is read anyway. */
export const ERROR_BODY_BYTES = DRAIN_BYTES;
export const PART_ROWS = 100;
export const PART_BYTES = 1_000_000;
export const PART_MS = 30_000;
/** By time a part is cut only with this many rows, else after `PART_IDLE_MS`. */
export const PART_MIN_ROWS = 10;
export const PART_IDLE_MS = 5 * 60_000;
/** While a run is young rows wait no longer than this: with commit and delivery somebody sees them within 5 s. */
export const ROWS_WAIT_LEAST_MS = 2000;
/** … or this share of the time that the run has gone: after 20 minutes half a minute is soon enough. */
export const ROWS_WAIT_SHARE = 1 / 40;
/** Parts cut early, of all lanes together: 100 lanes keep the 2 s nearly, and a thousand are not a load. */
export const EARLY_PARTS_PER_SECOND = 40;

// --- inputs ---

export const MAX_LINE_BYTES = 1_000_000;
export const MAX_INPUT_BYTES = 20_000_000_000;
export const MAX_INFLATION = 200;
export const INFLATION_FREE_BYTES = 100_000_000;
/** Larger uploads come in pieces. */
export const MAX_UPLOAD_BODY_BYTES = 64_000_000;
/** Part of a multipart object: R2 wants at least 5 MiB, all equal but the last. */
export const OBJECT_PART_BYTES = 5 * 1024 * 1024;
/** How much of a source a lane reads at once. */
export const SOURCE_WINDOW_BYTES = 256 * 1024;
/** How much of an upload is read at once to find its CSV records: one object operation each. */
export const SOURCE_SCAN_BYTES = 4 * 1024 * 1024;
/** Entries in one written-down page of a listing: S3 and R2 give as many at once, and a page makes as many chunks. */
export const LISTED_PER_PAGE = 1000;
/** A store that does not begin to answer within this is away. */
export const STORE_ANSWER_MS = 30_000;
/** A page of 1,000 keys of 1 KB, percent-encoded, and what stands around them. */
export const STORE_LIST_BYTES = 8 * 1024 * 1024;
/** Entries of an upload's line index; when full every second one is dropped. */
export const LINE_INDEX_ENTRIES = 65_536;
/** Line indexes kept by an isolate for the next chunk of the same upload: at most 1 MB each. */
export const LINE_INDEXES_KEPT = 4;
/** A line-index entry is made after this many bytes or items since the last; both double when it is full. */
export const LINE_INDEX_STRIDE_BYTES = 64 * 1024;
export const LINE_INDEX_STRIDE_ITEMS = 256;
/** Packed bytes given to the inflater at once: at 1,000:1 this makes 8 MB, well inside an isolate's memory. */
export const INFLATE_FEED_BYTES = 8 * 1024;
/** Pieces of one upload; 20 GB in pieces of 64 MB are 313. */
export const MAX_UPLOAD_PIECES = 10_000;
/** Pieces of an upload that was never completed are removed after this. */
export const UPLOAD_ABANDONED_MS = 7 * 24 * 3_600_000;
/** An upload that nothing names is kept this long: a run may be about to pin it. */
export const UPLOAD_UNNAMED_MS = 3_600_000;

// --- reduce ---

/** Fields of one report: totals travel with every commit and are written with it. */
export const REDUCE_FIELDS = 50;
/** Keys of a merged map, and rows of a top list: a report is read by people. */
export const REDUCE_MAP_KEYS = 1000;
export const REDUCE_TOP = 100;
/** A text or key that is longer is not a value of a report. */
export const REDUCE_TEXT_CHARS = 200;
/** The state of one's own reducer as JSON: it is written with every commit. */
export const REDUCE_OWN_CHARS = 100_000;

// --- joining parts, failures in D1 ---

/** With one call in five refused, all six tries of one call are in one of 15,000; they take 1.6 s at most. */
export const STORAGE_TRIES = 6;
export const STORAGE_RETRY_FIRST_MS = 50;

/** A call to the bucket without an answer for this long is refused: the slowest that were measured took seconds. */
export const STORAGE_ANSWER_MS = 60_000;

/** Parts read ahead of where they are needed: R2 serves six at once to one invocation. */
export const PARTS_AHEAD = 6;
/**
 * Committed parts that a run remembers as unreadable, 60 B each in its state. A join that meets more makes no joined file:
 * then the storage is lost, not a part.
 */
export const UNREADABLE_PARTS_KEPT = 100;
/** Parts asked of the Run at once: 1,000 descriptions of 200 B. */
export const PARTS_PER_CALL = 1000;
/** An object that is passed on whole is read in windows of this much, so many of them at once. */
export const OBJECT_WINDOW_BYTES = 1024 * 1024;
export const OBJECT_WINDOWS_AHEAD = 3;
/** Merged rows are handed on in pieces of this much: small stretches would cost more than their bytes. */
export const MERGE_PIECE_BYTES = 64 * 1024;
/** Shared by the windows in which a family's joined rows are read to be merged, whatever the size of the family. */
export const MERGE_WINDOWS_BYTES = 8 * 1024 * 1024;
export const MERGE_WINDOW_MAX_BYTES = 1024 * 1024;
export const MERGE_WINDOW_MIN_BYTES = 16 * 1024;
/** A call of reindex ends after this and says where to go on: clients give up on an answer after a minute. */
export const REINDEX_SLICE_MS = 20_000;
/** A join reports this often: well before the Run believes it dead and offers it again. */
export const FINISH_REPORT_MS = 2000;
/** Unindexed parts asked of the Run at once. */
export const PARTS_PER_INDEX_CALL = 100;
/** R2 accepts this many parts in one multipart upload. */
export const MAX_OBJECT_PARTS = 10_000;
/** Text of one D1 parameter: far below its 2 MB a value, and one statement stays in the milliseconds. */
export const D1_PARAMETER_BYTES = 500_000;
/** D1 allows 1,000 queries an invocation: an indexing slice ends well before. */
export const D1_QUERIES_PER_SLICE = 400;
/** Indexes named one by one in a chunk of a retry run: 1,000 of them are 8 KB in the ledger. */
export const INDEXES_PER_CHUNK = 1000;
/** Indexes planned in one step of a retry run: as many as make messages of a megabyte. */
export const INDEXES_PER_PLAN_CALL = 100_000;
/** Failed items asked of D1 at once while a retry run is planned. */
export const FAILURES_PER_QUERY = 1000;
/** Chunks with items without a row asked of a Run at once: each may carry `INDEXES_PER_CHUNK` indexes. */
export const UNSETTLED_PER_CALL = 100;
/** Indexes looked up in D1 at once. */
export const SETTLED_PER_QUERY = 10_000;
/** D1 ends a statement after 30 s: rows are deleted in portions. */
export const ROWS_PER_DELETE = 20_000;
/** Runs asked at once how they are, for one page of the list: each is a call to its object. */
export const RUN_VIEWS_AT_ONCE = 20;
/** Bytes of run snapshots in one page of the list of runs: a spec may carry 1 MB of inline items. */
export const CATALOG_PAGE_BYTES = 4_000_000;
export const FAILURE_GROUPS = 100;
export const SAMPLES_PER_GROUP = 3;
/** An item in a summary is there to be recognised, not to be read. */
export const SAMPLE_CHARS = 60;

// --- schedules ---

/** One tick looks at all that are due: 1,000 object calls are a second's work, far below the platform's bound. */
export const MAX_SCHEDULES = 1000;
/** With `overlap: allow`: a schedule whose runs never end must not start one a minute for ever. */
export const MAX_ACTIVE_RUNS_PER_SCHEDULE = 20;
/** Cron triggers come once a minute and may be late: a fire this late was not missed. */
export const SCHEDULE_ON_TIME_MS = 3 * 60_000;
/** Whoever was away for longer than a month looks before he goes on. */
export const MAX_CATCH_UP_MS = 31 * 86_400_000;
/** Missed instants are counted up to this: a schedule of every minute misses 40,000 in a month. */
export const MISSED_COUNTED = 100;
/** Fires with a run that a schedule remembers, and, apart from them, fires without one. */
export const FIRES_KEPT = 500;
export const IDLE_FIRES_KEPT = 200;
/** Schedules looked at at once in a tick: each is a call to its object, and perhaps a run started. */
export const SCHEDULES_AT_ONCE = 20;
/** The next instants that a schedule tells. */
export const NEXT_FIRES_SHOWN = 5;
/** Placeholders make a spec longer: a schedule's own has less room, so that what it becomes still fits. */
export const MAX_SCHEDULE_BYTES = 1_000_000;

// --- named targets ---

/** Each is a row of the list and an object. */
export const MAX_TARGETS = 1000;
/** Runs under one target at once: with `TARGET_ASK_MS_PER_RUN` its object answers at most 100 asks a second. */
export const MAX_TARGET_RUNS = 500;
/** More of every limit than this is not kept for other programs: runs would hardly move. */
export const MAX_RESERVE = 0.9;
export const MAX_WEIGHT = 1000;
/** A run asks for its share this often: a throttled answer of one of them slows all within a second. */
export const TARGET_ASK_MS = 500;
export const TARGET_ASK_MS_PER_RUN = 10;
/** A run that waits for what comes back from others asks this often. */
export const TARGET_WAIT_ASK_MS = 150;
/** An ask without an answer for so long has failed. */
export const TARGET_SILENT_MS = 2000;
/** A run's share of the rates is good for so long from the moment at which it asked. */
export const SHARE_TTL_MS = 8000;
/** The target counts from its answer, and by this much longer. */
export const SHARE_MARGIN_MS = 500;
/** Without a renewed share for so long a run gives its lanes back as their calls end … */
export const SHARE_LANES_SHED_MS = 15_000;
/** … and after so long it renews no lease of a lane. */
export const SHARE_LANES_LOST_MS = 25_000;
/** A run's share of the lanes is over then: the last lease that it renewed is. */
export const SHARE_LANES_TTL_MS = SHARE_LANES_LOST_MS + LEASE_TTL_MS + LEASE_MARGIN_MS + 4000;
/** What is stored of a lease is longer than the lease, so that not every renewal writes a row. */
export const SHARE_STORED_STEP_MS = 5000;
/** A share that is as large as it should be within this is left as it is: a smaller one acts only after a while. */
export const SHARE_TOLERANCE = 0.01;
/** Lanes that are too few for all go round this often. */
export const LANES_TURN_MS = 10_000;
/** A run whose lanes are all busy and that used less than this part of its share cannot use it all. */
export const SHARE_USED = 0.95;
/** With fewer than this part of its lanes in calls they wait for permits, mostly … */
export const LANES_BUSY = 0.7;
/** … and then a smaller part of the share is nearly all: a busy machine asks for permits a little late. */
export const SHARE_USED_WAITING = 0.75;
/** A run that cannot use all of its share wants what it used, and so much more. */
export const SHARE_ROOM = 1.15;
/** Use is measured over so long, or the time of so many calls where that is longer. */
export const USE_MEASURED_MS = 400;
export const USE_MEASURED_CALLS = 3;
/** An instant this much further ahead than it was asked for: its call waits for the rate, so the run could use more. */
export const STARVED_AHEAD_MS = 250;
/** Of the reserve this part is kept even while nobody asks: a program's first permit is there at once. */
export const RESERVE_IDLE = 0.1;
/** After so long without an ask the rest of the reserve goes to the runs. */
export const RESERVE_IDLE_MS = 10_000;
/** What programs used most in a second of the last ten, and so much on top, is what they want of the reserve. */
export const RESERVE_ROOM = 1.5;
/** While programs wait they get so much more than the reserve: at exactly its rate a line would never become shorter. */
export const RESERVE_CATCH_UP = 1.25;
/** A permit this far ahead is one that is waited for. */
export const RESERVE_WAIT_MS = 50;
/** No permit for another program lies further ahead: it asks again. */
export const PERMITS_WAIT_MAX_MS = 10_000;
export const PERMITS_PER_REQUEST = 1000;
/** How late a program may use its permit. */
export const PERMITS_GRACE_MS = GRACE_MS;

assert(SHARE_TTL_MS < SHARE_LANES_SHED_MS, "lanes outlive the permits of a share");
assert(
  DEPTH_MS + COSTED_GRACE_MS < SHARE_TTL_MS - TARGET_ASK_MS,
  "a share outlives the instants issued by it",
);
assert(LEASE_RENEW_MS > SHARE_TTL_MS, "a clock that was set forward is cut off behind the end of a share");
assert(LEASE_RENEW_MS + POLL_MS < LEASE_TTL_MS, "a lease outlives its renewal");
assert(SLICE_MAX_MS + LEASE_TTL_MS < PLATFORM_CONSUMER_MS, "a slice ends well before the platform ends it");
assert(SLICE_MAX_MS + MAX_CALL_TIMEOUT_MS < PLATFORM_CONSUMER_MS, "the last call of a slice can end");
assert(SLICE_MAX_MS + TASK_SILENT_MS < PLATFORM_CONSUMER_MS, "a silent task of a slice is ended by Weir");
assert(MIN_GRACE_MS <= GRACE_MS && GRACE_MS < LEAD_MS, "a permit asked for with the lead is usable");
assert(FINISH_REPORT_MS < OFFER_REPEAT_MS, "a join that goes on is not offered again");
assert(HOST_AHEAD_MS <= DEPTH_MS, "an instant for a host lies within the depth");
assert(LEAD_MS < DEPTH_MS, "the depth holds at least one lead");
assert(FREE_MS <= POLL_MS, "free calls end before the next poll is due");
assert(LISTED_PER_PAGE <= CHUNKS_PER_PLAN_CALL, "a page of a listing is planned in one step");
assert(PART_MS < PART_IDLE_MS, "an idle part waits longer than a busy one");
assert(ROWS_WAIT_LEAST_MS + 2 * POLL_MS < 5000, "early rows are seen within 5 s");

-- helios: requires any
-- The 21 tables of the desk and their helpers. Market data is float8, money is numeric.
-- Names of pairs sort by bytes (collate "C"): they are codes, not words.

CREATE TABLE pair_rules (
    pair         text COLLATE "C" PRIMARY KEY,
    base         text NOT NULL,
    quote        text NOT NULL,
    tick_size    numeric NOT NULL CHECK (tick_size > 0),
    base_decimals int NOT NULL CHECK (base_decimals BETWEEN 0 AND 18),
    min_quantity numeric NOT NULL CHECK (min_quantity >= 0),
    min_notional numeric NOT NULL CHECK (min_notional >= 0),
    tradable     boolean NOT NULL,
    simulated    boolean NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE runs (
    run_id           text COLLATE "C" PRIMARY KEY,
    notebook         text NOT NULL,
    parameters       jsonb NOT NULL,
    parameters_hash  text NOT NULL,
    commit           text NOT NULL,
    dirty            boolean NOT NULL,
    feature_set      text,
    data_as_of       timestamptz,
    environment_hash text NOT NULL,
    seed             bigint,
    flow_run_id      text,
    state            text NOT NULL CHECK (state IN ('running', 'completed', 'failed')),
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    outcome          text NOT NULL DEFAULT '',
    result           jsonb,
    notebook_path    text,
    notebook_sha256  text,
    owner            text NOT NULL,
    nonce_sha256     text NOT NULL,
    CHECK ((state = 'running') = (ended_at IS NULL))
);
CREATE INDEX runs_started ON runs (started_at DESC);
CREATE INDEX runs_running ON runs (run_id) WHERE state = 'running';

-- tier 1 ------------------------------------------------------------------------------------

CREATE TABLE market_ohlc (
    pair      text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    open_time timestamptz NOT NULL CHECK (open_time BETWEEN '2009-01-03' AND '2100-01-01'),
    open      float8 NOT NULL,
    high      float8 NOT NULL,
    low       float8 NOT NULL,
    close     float8 NOT NULL,
    volume    float8 NOT NULL CHECK (volume >= 0),
    source    text NOT NULL,
    PRIMARY KEY (pair, timeframe, open_time),
    CHECK (low > 0 AND low <= least(open, close) AND high >= greatest(open, close))
);

CREATE TABLE market_trades (
    pair     text COLLATE "C" NOT NULL,
    ts       timestamptz NOT NULL CHECK (ts BETWEEN '2009-01-03' AND '2100-01-01'),
    trade_id bigint NOT NULL,
    price    float8 NOT NULL CHECK (price > 0),
    quantity float8 NOT NULL CHECK (quantity > 0),
    side     smallint NOT NULL CHECK (side IN (-1, 1)),
    source   text NOT NULL,
    PRIMARY KEY (pair, ts, trade_id)
);

CREATE TABLE orderbook_snapshots (
    pair       text COLLATE "C" NOT NULL,
    ts         timestamptz NOT NULL,
    seq        bigint NOT NULL,
    bid_price  float8[] NOT NULL,
    bid_size   float8[] NOT NULL,
    ask_price  float8[] NOT NULL,
    ask_size   float8[] NOT NULL,
    mid        float8 NOT NULL,
    spread_bps float8 NOT NULL,
    imbalance  float8 NOT NULL CHECK (imbalance BETWEEN -1 AND 1),
    source     text NOT NULL,
    PRIMARY KEY (pair, ts, seq)
);

CREATE TABLE gap_ledger (
    pair        text COLLATE "C" NOT NULL,
    timeframe   text COLLATE "C" NOT NULL,
    gap_start   timestamptz NOT NULL,
    gap_end     timestamptz NOT NULL,
    missing     int NOT NULL CHECK (missing > 0),
    cause       text NOT NULL
        CHECK (cause IN ('no_trade', 'missing', 'socket_lost', 'exchange_down', 'unrecoverable')),
    run_id      text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pair, timeframe, gap_start),
    CHECK (gap_end > gap_start)
);

CREATE TABLE feature_sets (
    set_id     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256     text NOT NULL UNIQUE,
    names      text[] NOT NULL CHECK (cardinality(names) = 90),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A value that may not be used is NaN, never NULL: rows keep one width.
CREATE TABLE engineered_features (
    pair      text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    open_time timestamptz NOT NULL,
    set_id    int NOT NULL,
    v         real[] NOT NULL CHECK (cardinality(v) = 90),
    run_id    text,
    PRIMARY KEY (pair, timeframe, open_time, set_id)
);

-- tier 2 ------------------------------------------------------------------------------------

CREATE TABLE ml_models (
    model_id       text COLLATE "C" PRIMARY KEY,
    name           text NOT NULL,
    version        text NOT NULL,
    state          text NOT NULL DEFAULT 'candidate'
        CHECK (state IN ('candidate', 'rejected', 'shadow', 'champion', 'retired')),
    weights_sha256 text NOT NULL,
    feature_set    text NOT NULL,
    label_schema   text NOT NULL,
    config         jsonb NOT NULL,
    metrics        jsonb NOT NULL,
    data_from      timestamptz NOT NULL,
    data_to        timestamptz NOT NULL,
    seed           bigint NOT NULL,
    commit         text NOT NULL,
    parameters     bigint NOT NULL,
    trained_at     timestamptz NOT NULL,
    run_id         text,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, version)
);
CREATE UNIQUE INDEX ml_models_one_champion ON ml_models (name) WHERE state = 'champion';

CREATE TABLE gate_verdicts (
    verdict_id  text COLLATE "C" PRIMARY KEY,  -- hash of model and evidence: judged once
    model_id    text NOT NULL REFERENCES ml_models,
    passed      boolean NOT NULL,
    reason      text NOT NULL,
    checks      jsonb NOT NULL,
    evidence    jsonb NOT NULL,
    run_id      text,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX gate_verdicts_model ON gate_verdicts (model_id, recorded_at DESC);

CREATE TABLE ml_predictions (
    pair         text COLLATE "C" NOT NULL,
    timeframe    text COLLATE "C" NOT NULL,
    model_id     text NOT NULL REFERENCES ml_models,
    horizon      int NOT NULL CHECK (horizon > 0),
    ts           timestamptz NOT NULL,
    p_sell       float8 NOT NULL,
    p_hold       float8 NOT NULL,
    p_buy        float8 NOT NULL,
    p_hit        float8 NOT NULL,
    p_up         float8 NOT NULL,
    barrier_up   float8 NOT NULL,
    barrier_down float8 NOT NULL,
    y_true       smallint CHECK (y_true IN (-1, 0, 1)),
    realised     float8,
    run_id       text,
    PRIMARY KEY (pair, timeframe, model_id, horizon, ts)
);
CREATE INDEX ml_predictions_open ON ml_predictions (model_id, ts) WHERE y_true IS NULL;

-- tier 3 ------------------------------------------------------------------------------------

CREATE TABLE volatility_forecasts (
    pair    text COLLATE "C" NOT NULL,
    method  text NOT NULL,
    horizon int NOT NULL CHECK (horizon > 0),
    ts      timestamptz NOT NULL,
    sigma   float8 NOT NULL CHECK (sigma >= 0),
    run_id  text,
    PRIMARY KEY (pair, method, horizon, ts)
);

CREATE TABLE aether_risk_decisions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id     text NOT NULL,
    pair            text COLLATE "C" NOT NULL,
    ts              timestamptz NOT NULL,
    sigma           float8 NOT NULL,
    kelly_raw       float8 NOT NULL,
    kelly_shrunk    float8 NOT NULL,
    leverage        float8 NOT NULL,
    binding         text NOT NULL,
    size            float8 NOT NULL,
    vetoed          boolean NOT NULL,
    record          jsonb NOT NULL,
    run_id          text,
    UNIQUE (decision_id, pair)
);
CREATE INDEX aether_risk_decisions_ts ON aether_risk_decisions (ts DESC);

-- tier 4 ------------------------------------------------------------------------------------

CREATE TABLE market_context_snapshots (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256  text NOT NULL UNIQUE,
    ts      timestamptz NOT NULL,
    brief   text NOT NULL,
    run_id  text
);

CREATE TABLE llm_strategic_decisions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id     text NOT NULL UNIQUE,
    context_sha256  text REFERENCES market_context_snapshots (sha256),
    ts              timestamptz NOT NULL,
    provider        text NOT NULL,
    regime          text NOT NULL,
    risk_multiplier float8 NOT NULL CHECK (risk_multiplier BETWEEN 0 AND 1),
    abstained       boolean NOT NULL,
    reason          text NOT NULL,
    valid_until     timestamptz NOT NULL,
    record          jsonb NOT NULL,
    run_id          text
);
CREATE INDEX llm_strategic_decisions_ts ON llm_strategic_decisions (ts DESC);

-- tier 5 ------------------------------------------------------------------------------------

CREATE TABLE portfolio_state (
    mode         text NOT NULL,
    book         text NOT NULL,
    quote        text NOT NULL,
    opening_cash numeric NOT NULL CHECK (opening_cash > 0),
    peak_equity  numeric NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mode, book, quote)
);

CREATE TABLE positions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode          text NOT NULL,
    book          text NOT NULL,
    pair          text COLLATE "C" NOT NULL,
    quantity      numeric NOT NULL,
    average_price numeric NOT NULL CHECK (average_price > 0),
    opened_at     timestamptz NOT NULL,
    closed_at     timestamptz,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((quantity = 0) = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX positions_open ON positions (mode, book, pair) WHERE closed_at IS NULL;

CREATE TABLE portfolio_snapshots (
    mode        text NOT NULL,
    book        text NOT NULL,
    ts          timestamptz NOT NULL,
    decision_id text NOT NULL,
    quote       text NOT NULL,
    equity      numeric NOT NULL,
    cash        numeric NOT NULL,
    exposure    numeric NOT NULL,
    marks       jsonb NOT NULL,
    run_id      text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (mode, book, ts, decision_id)
);

-- One row a cycle, also when nothing was traded. `record` alone replays the decision.
CREATE TABLE rebalancing_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id  text NOT NULL UNIQUE,
    mode         text NOT NULL,
    book         text NOT NULL,
    ts           timestamptz NOT NULL,
    verdict      text NOT NULL,
    method       text NOT NULL,
    status       text NOT NULL,
    model_id     text REFERENCES ml_models,
    forced       boolean NOT NULL,
    feature_set  text NOT NULL,
    data_as_of   timestamptz NOT NULL,
    policy_hash  text NOT NULL,
    record       jsonb NOT NULL,
    outcome      jsonb,
    run_id       text NOT NULL REFERENCES runs,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rebalancing_events_ts ON rebalancing_events (ts DESC);

-- trading -----------------------------------------------------------------------------------

CREATE TABLE orders (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_order_id   text COLLATE "C" NOT NULL UNIQUE
        CHECK (client_order_id ~ '^[A-Za-z0-9-]{1,50}$'),
    decision_id       text NOT NULL REFERENCES rebalancing_events (decision_id),
    leg               int NOT NULL,
    mode              text NOT NULL,
    book              text NOT NULL,
    exchange          text NOT NULL,
    exchange_order_id text,
    pair              text COLLATE "C" NOT NULL REFERENCES pair_rules,
    side              text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    kind              text NOT NULL CHECK (kind IN ('LIMIT', 'MARKET')),
    quantity          numeric NOT NULL CHECK (quantity > 0),
    price             numeric CHECK (price > 0),
    reference_price   numeric NOT NULL CHECK (reference_price > 0),
    filled            numeric NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND quantity),
    state             text NOT NULL CHECK (state IN ('INTENT', 'SENT', 'PLACED',
        'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'UNKNOWN', 'ABANDONED')),
    reason            text NOT NULL DEFAULT '',
    run_id            text NOT NULL REFERENCES runs,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (exchange, exchange_order_id),
    UNIQUE (decision_id, leg),
    CHECK ((kind = 'LIMIT') = (price IS NOT NULL))
);
CREATE INDEX orders_created ON orders (created_at DESC);
CREATE INDEX orders_open ON orders (pair)
    WHERE state IN ('INTENT', 'SENT', 'PLACED', 'PARTIALLY_FILLED', 'UNKNOWN');

CREATE TABLE trade_executions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange        text NOT NULL,
    exec_id         text COLLATE "C" NOT NULL,
    client_order_id text COLLATE "C" NOT NULL REFERENCES orders (client_order_id),
    pair            text COLLATE "C" NOT NULL,
    side            text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    ts              timestamptz NOT NULL,
    price           numeric NOT NULL CHECK (price > 0),
    quantity        numeric NOT NULL CHECK (quantity > 0),
    fee             numeric NOT NULL,
    fee_asset       text NOT NULL,
    liquidity       text NOT NULL CHECK (liquidity IN ('maker', 'taker')),
    run_id          text,
    UNIQUE (exchange, exec_id)
);
CREATE INDEX trade_executions_order ON trade_executions (client_order_id);
CREATE INDEX trade_executions_ts ON trade_executions (ts DESC);

CREATE TABLE balances (
    mode       text NOT NULL,
    book       text NOT NULL,
    exchange   text NOT NULL,
    asset      text NOT NULL,
    amount     numeric NOT NULL CHECK (amount >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mode, book, exchange, asset)
);

-- system ------------------------------------------------------------------------------------

CREATE TABLE system_events (
    id        bigint GENERATED ALWAYS AS IDENTITY,
    ts        timestamptz NOT NULL DEFAULT now(),
    level     text NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error', 'critical')),
    component text NOT NULL,
    event     text NOT NULL,
    fields    jsonb NOT NULL DEFAULT '{}',
    run_id    text,
    PRIMARY KEY (id, ts)
);
CREATE INDEX system_events_component ON system_events (component, ts DESC);
CREATE INDEX system_events_errors ON system_events (ts DESC) WHERE level IN ('error', 'critical');

CREATE TABLE trading_mode_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts         timestamptz NOT NULL DEFAULT now(),
    book       text NOT NULL,
    mode_from  text,
    mode_to    text NOT NULL,
    actor      text NOT NULL,
    reason     text NOT NULL,
    expires_at timestamptz
);
CREATE INDEX trading_mode_history_ts ON trading_mode_history (book, ts DESC);

CREATE TABLE feature_flags (
    flag       text COLLATE "C" PRIMARY KEY,
    strategy   text NOT NULL CHECK (strategy IN
        ('ALL_USERS', 'PERCENTAGE', 'WHITELIST', 'BLACKLIST', 'KILL_SWITCH')),
    enabled    boolean NOT NULL,
    settings   jsonb NOT NULL DEFAULT '{}',
    version    bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE feature_flag_history (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts     timestamptz NOT NULL DEFAULT now(),
    flag   text COLLATE "C" NOT NULL,
    before jsonb,
    after  jsonb,
    actor  text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX feature_flag_history_flag ON feature_flag_history (flag, ts DESC);

CREATE TABLE circuit_breakers (
    breaker    text COLLATE "C" PRIMARY KEY,
    state      text NOT NULL
        CHECK (state IN ('CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN', 'DISABLED')),
    settings   jsonb NOT NULL DEFAULT '{}',
    version    bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE circuit_breaker_events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts         timestamptz NOT NULL DEFAULT now(),
    breaker    text COLLATE "C" NOT NULL,
    state_from text,
    state_to   text NOT NULL,
    actor      text NOT NULL,
    reason     text NOT NULL
);
CREATE INDEX circuit_breaker_events_breaker ON circuit_breaker_events (breaker, ts DESC);

CREATE TABLE commands (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts           timestamptz NOT NULL DEFAULT now(),
    command      text NOT NULL,
    arguments    jsonb NOT NULL DEFAULT '{}',
    actor        text NOT NULL,
    reason       text NOT NULL,
    handled_at   timestamptz,
    outcome      text
);
CREATE INDEX commands_waiting ON commands (id) WHERE handled_at IS NULL;

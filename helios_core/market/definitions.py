"""The 90 features as data: one row each, in the order of their columns.

A row is name, raw definition, source, normalization, first finite bar, bars until the start of
history no longer shows, reference. Bars count from 0 and are base bars of one minute, for a
history that begins at a multiple of 15 minutes.
"""

Row = tuple[str, str, str, str, int, int | None, str]

RETURN = "x / (sigma sqrt({})), clip 8"
UNIT = "clip 1"
RATE = "x / 50 - 1"
RANKED = "rz(ln(x + 1e-12)), {} bars"

PRICE: tuple[Row, ...] = (
    ("ret_1", "ln(C / C[-1])", "close", "x / sigma, clip 8", 61, None, ""),
    ("ret_5", "ln(C / C[-5])", "close", RETURN.format(5), 61, None, ""),
    ("ret_15", "ln(C / C[-15])", "close", RETURN.format(15), 61, None, ""),
    ("ret_30", "ln(C / C[-30])", "close", RETURN.format(30), 61, None, ""),
    ("ret_60", "ln(C / C[-60])", "close", RETURN.format(60), 61, None, ""),
    ("ret_240", "ln(C / C[-240])", "close", RETURN.format(240), 240, None, ""),
    ("bar_body", "(C - O) / (H - L)", "ohlc", UNIT, 0, None, ""),
    ("bar_upper_wick", "(H - max(O, C)) / (H - L)", "ohlc", "clip 0..1", 0, None, ""),
    ("bar_lower_wick", "(min(O, C) - L) / (H - L)", "ohlc", "clip 0..1", 0, None, ""),
    ("bar_clv", "(2C - H - L) / (H - L)", "hlc", UNIT, 0, None, ""),
)

TREND: tuple[Row, ...] = (
    ("trend_macd", "EMA12 - EMA26", "close", "x / ATR, clip 8", 25, 210, "ta.trend.MACD"),
    ("trend_macd_diff", "MACD - EMA9(MACD)", "close", "x / ATR, clip 5", 33, 225, "ta.trend.MACD"),
    (
        "trend_ema_fast", "EMA12", "close", "(C - x) / ATR, clip 8", 13, 34,
        "ta.trend.EMAIndicator",
    ),
    (
        "trend_stc", "Schaff cycle (50, 23, 10, 3, 3)", "close", RATE, 71, 400,
        "ta.trend.STCIndicator",
    ),
    (
        "ema_200", "EMA200", "close", "(C - x) / (4 ATR), clip 5", 199, 1400,
        "ta.trend.EMAIndicator",
    ),
    ("trend_adx", "ADX14, Wilder", "hlc", "x / 100", 27, 205, "ta.trend.ADXIndicator"),
    ("trend_adx_pos", "+DI14", "hlc", "x / 100", 14, 140, "ta.trend.ADXIndicator"),
    ("trend_adx_neg", "-DI14", "hlc", "x / 100", 14, 165, "ta.trend.ADXIndicator"),
    ("trend_vortex_ind_diff", "VI+ - VI-, 14", "hlc", "x", 14, None, "ta.trend.VortexIndicator"),
    (
        "trend_trix", "% change of the triple EMA15", "close", "x / (100 sigma), clip 5", 61, 175,
        "ta.trend.TRIXIndicator",
    ),
    (
        "trend_cci", "CCI20, constant 0.015", "hlc", "x / 100, clip 4", 19, None,
        "ta.trend.CCIIndicator",
    ),
    (
        "trend_aroon_ind", "Aroon up - down, 25", "hl", "x / 100", 25, None,
        "ta.trend.AroonIndicator",
    ),
    (
        "trend_mass_index", "sum over 25 of EMA9(H - L) / EMA9(EMA9(H - L))", "hl",
        "x - 25, clip 5", 40, 100, "ta.trend.MassIndex",
    ),
)  # fmt: skip

MOMENTUM: tuple[Row, ...] = (
    ("momentum_rsi", "RSI14", "close", RATE, 13, 181, "ta.momentum.RSIIndicator"),
    ("momentum_rsi_6", "RSI6", "close", RATE, 5, 80, "ta.momentum.RSIIndicator"),
    (
        "momentum_stoch_rsi_k", "mean over 3 of the stochastic of RSI14 over 14", "close",
        "2x - 1", 28, 196, "ta.momentum.StochRSIIndicator",
    ),
    (
        "momentum_uo", "ultimate oscillator 7, 14, 28", "hlc", RATE, 28, None,
        "ta.momentum.UltimateOscillator",
    ),
    ("momentum_stoch", "%K14", "hlc", RATE, 13, None, "ta.momentum.StochasticOscillator"),
    (
        "momentum_kama", "KAMA(10, 2, 30)", "close", "(C - x) / ATR, clip 8", 13, None,
        "ta.momentum.KAMAIndicator",
    ),
)  # fmt: skip

VOLATILITY: tuple[Row, ...] = (
    (
        "volatility_bbw", "width of the Bollinger band (20, 2), % of its middle", "close",
        RANKED.format(1440), 258, None, "ta.volatility.BollingerBands",
    ),
    (
        "volatility_bbp", "place of C in the Bollinger band (20, 2)", "close", "2x - 1, clip 3", 19,
        None, "ta.volatility.BollingerBands",
    ),
    (
        "volatility_dcp", "place of C in the Donchian channel of 20", "hlc", "2x - 1", 19, None,
        "ta.volatility.DonchianChannel",
    ),
    (
        "volatility_atr", "ATR14, Wilder", "hlc", "rz(ln(x / C + 1e-12)), 1440 bars", 252, 144,
        "ta.volatility.AverageTrueRange",
    ),
    (
        "volatility_ui", "ulcer index 14", "close", RANKED.format(1440), 252, None,
        "ta.volatility.UlcerIndex",
    ),
    ("rv_15", "sqrt(sum of r^2), 15", "close", RANKED.format(1440), 254, None, ""),
    ("rv_60", "sqrt(sum of r^2), 60", "close", RANKED.format(1440), 299, None, ""),
    (
        "rv_ratio_15_240", "ln((RV15 / sqrt 15) / (RV240 / sqrt 240))", "close", "clip 4", 240,
        None, "",
    ),
    (
        "gk_accel_60",
        "1/2 ln(mean GK15 / mean GK60), GK = 1/2 ln(H/L)^2 - (2 ln 2 - 1) ln(C/O)^2", "ohlc",
        "clip 4", 59, None, "Garman and Klass (1980)",
    ),
    (
        "jump_60", "1 - BV60 / RV60^2, BV = pi/2 sum of abs(r) abs(r[-1])", "close", UNIT, 61,
        None, "Barndorff-Nielsen and Shephard (2004)",
    ),
    (
        "semivar_60", "(RS+ - RS-) / (RS+ + RS-), RS+- = sum of r^2 where r is >0, <0", "close",
        UNIT, 60, None, "Barndorff-Nielsen, Kinnebrock and Shephard (2010)",
    ),
    ("autocorr_60", "correlation of r and r[-1], 60", "close", UNIT, 61, None, ""),
)  # fmt: skip

VOLUME: tuple[Row, ...] = (
    (
        "volume_cmf", "Chaikin money flow 20", "hlcv", "x", 19, None,
        "ta.volume.ChaikinMoneyFlowIndicator",
    ),
    ("volume_mfi", "money flow index 14", "hlcv", RATE, 13, None, "ta.volume.MFIIndicator"),
    (
        "volume_fi", "EMA13 of (C - C[-1]) V", "cv", "rz(sign(x) ln(1 + abs(x))), 1440 bars", 252,
        None, "ta.volume.ForceIndexIndicator",
    ),
    (
        "volume_vwap", "VWAP14 of (H + L + C) / 3", "hlcv", "(C - x) / ATR, clip 8", 13, None,
        "ta.volume.VolumeWeightedAveragePrice",
    ),
    (
        "vwap_day", "VWAP of (H + L + C) / 3 since 00:00 UTC", "hlcv",
        "(C - x) / (ATR sqrt(30)), clip 8", 13, None, "",
    ),
    ("volume_z_60", "z score of ln(1 + V), 60, sample deviation", "v", "clip 5", 59, None, ""),
    (
        "volume_rel_1440", "ln(mean V15 / mean V1440), the latter of 240 bars at least", "v",
        "clip 5", 239, None, "",
    ),
    (
        "momentum_pvo", "100 (EMA12(V) - EMA26(V)) / EMA26(V)", "v", "x / 100, clip 3", 25, 210,
        "ta.momentum.PercentageVolumeOscillator",
    ),
    (
        "momentum_pvo_hist", "PVO - EMA9(PVO)", "v", "x / 100, clip 3", 33, 225,
        "ta.momentum.PercentageVolumeOscillator",
    ),
    (
        "amihud_60", "10^6 mean of abs(r) / (C V + 1), 60", "cv", RANKED.format(1440), 299, None,
        "Amihud (2002)",
    ),
)  # fmt: skip


def coarse(prefix: str, minutes: int, lag: int, window: int) -> tuple[Row, ...]:
    """Return the eight rows of a coarser timeframe; `lag` is that of its long return, in bars."""

    def first(bar: int) -> int:
        return (bar + 1) * minutes - 1

    def settled(bars: int) -> int:
        return bars * minutes

    rows: tuple[Row, ...] = (
        ("ret_1", "ln(C / C[-1])", "close", "x / sigma, clip 8", first(25), None, ""),
        (f"ret_{lag}", f"ln(C / C[-{lag}])", "close", RETURN.format(lag), first(lag), None, ""),
        (
            "momentum_rsi", "RSI14", "close", RATE, first(13), settled(181),
            "ta.momentum.RSIIndicator",
        ),
        (
            "trend_macd_diff", "MACD - EMA9(MACD)", "close", "x / ATR, clip 5", first(33),
            settled(225), "ta.trend.MACD",
        ),
        (
            "trend_adx", "ADX14, Wilder", "hlc", "x / 100", first(27), settled(205),
            "ta.trend.ADXIndicator",
        ),
        (
            "volatility_bbp", "place of C in the Bollinger band (20, 2)", "close",
            "2x - 1, clip 3", first(19), None, "ta.volatility.BollingerBands",
        ),
        (
            "volatility_atr", "ATR14, Wilder", "hlc", f"rz(ln(x / C + 1e-12)), {window} bars",
            first(13 + 95), settled(144), "ta.volatility.AverageTrueRange",
        ),
        (
            "volume_cmf", "Chaikin money flow 20", "hlcv", "x", first(19), None,
            "ta.volume.ChaikinMoneyFlowIndicator",
        ),
    )  # fmt: skip
    return tuple((f"{prefix}_{name}", *rest) for name, *rest in rows)  # type: ignore[misc]


ORDER_BOOK: tuple[Row, ...] = (
    ("ob_spread_bps", "10^4 (a1 - b1) / mid", "L1", "rz(ln(1 + x)), 1440 bars", 240, None, ""),
    (
        "ob_microprice_bps", "10^4 ((a1 Qb + b1 Qa) / (Qa + Qb) - mid) / mid", "L1",
        "x / (10^4 sigma), clip 5", 61, None, "",
    ),
    ("ob_imb_1", "(Qb - Qa) / (Qb + Qa)", "L1", UNIT, 1, None, ""),
    ("ob_imb_5", "the same over 5 levels", "L2", UNIT, 1, None, ""),
    ("ob_imb_10", "the same over 10 levels", "L2", UNIT, 1, None, ""),
    ("ob_imb_5_mean", "time-weighted mean of ob_imb_5 in the bar", "L2", UNIT, 1, None, ""),
    (
        "ob_ofi_1", "order flow imbalance of the best level, summed over the bar", "L1 events",
        "asinh(x / mean60((Qb + Qa) / 2) / 10)", 60, None, "Cont, Kukanov and Stoikov (2014)",
    ),
    (
        "ob_ofi_10", "the same for each level, summed over 10", "L2 events",
        "asinh(x / mean60(depth10) / 10)", 60, None, "Cont, Kukanov and Stoikov (2014)",
    ),
    (
        "ob_ofi_1_sum5", "sum of ob_ofi_1 over 5 bars", "L1",
        "asinh(x / mean60((Qb + Qa) / 2) / 10) / sqrt(5)", 65, None, "",
    ),
    (
        "ob_depth_10bps", "sum of p q within 10 bps of mid, both sides", "L2",
        "rz(ln(1 + x)), 1440 bars", 240, None, "",
    ),
    ("ob_depth_imb_25bps", "(B - A) / (B + A) within 25 bps", "L2", UNIT, 1, None, ""),
)  # fmt: skip

TRADES: tuple[Row, ...] = (
    ("tr_imbalance_1", "sum of s q / sum of q", "trades", "clip 1, 0 if none", 1, None, ""),
    ("tr_imbalance_5", "the same over 5 bars", "trades", UNIT, 5, None, ""),
    ("tr_imbalance_30", "the same over 30 bars", "trades", UNIT, 30, None, ""),
    ("tr_count_z_60", "z score of ln(1 + n), 60", "trades", "clip 5", 59, None, ""),
    (
        "tr_large_share_60",
        "share of 60-bar volume in trades above the 95th percentile of size of 1440 bars", "trades",
        "2x - 1", 300, None, "",
    ),
    (
        "tr_kyle_lambda_60", "OLS slope of the change of mid (bps) on s sqrt(notional), 60",
        "trades, L1", "rz(x), 1440 bars", 300, None, "Kyle (1985)",
    ),
    ("tr_vwap_dev", "C / VWAP of the bar - 1", "trades", "x / sigma, clip 5", 61, None, ""),
)  # fmt: skip

TIME: tuple[Row, ...] = (
    ("t_tod_sin", "sin(2 pi minute of the day / 1440)", "clock", "x", 0, None, ""),
    ("t_tod_cos", "cos(2 pi minute of the day / 1440)", "clock", "x", 0, None, ""),
    ("t_dow_sin", "sin(2 pi minute of the week / 10080), from Monday", "clock", "x", 0, None, ""),
    ("t_dow_cos", "cos(2 pi minute of the week / 10080), from Monday", "clock", "x", 0, None, ""),
    ("t_to_funding", "1 - minute of the hour / 60", "clock", "x", 0, None, ""),
)

# group, timeframe, rows, whether there is a kernel for it
GROUPS: tuple[tuple[str, str, tuple[Row, ...], bool], ...] = (
    ("price", "1m", PRICE, True),
    ("trend", "1m", TREND, True),
    ("momentum", "1m", MOMENTUM, True),
    ("volatility", "1m", VOLATILITY, True),
    ("volume", "1m", VOLUME, True),
    ("5-minute", "5m", coarse("m5", 5, 36, 288), True),
    ("15-minute", "15m", coarse("m15", 15, 96, 96), True),
    ("order book", "1m", ORDER_BOOK, False),
    ("trades", "1m", TRADES, False),
    ("time", "1m", TIME, True),
)

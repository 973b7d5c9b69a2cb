/** PromQL's words, for completion: functions with their arguments, aggregations, keywords. As Prometheus documents them. */

/** Name, arguments, what it gives. @type {[string, string, string][]} */
export const FUNCTIONS = [
  ["abs", "v", "absolute value"], ["absent", "v", "1 when there is no series"], ["absent_over_time", "range", "1 when there was no sample"],
  ["avg_over_time", "range", "average over the window"], ["ceil", "v", "rounded up"], ["changes", "range", "times the value changed"],
  ["clamp", "v, min, max", "kept within bounds"], ["clamp_max", "v, max", "kept below"], ["clamp_min", "v, min", "kept above"],
  ["count_over_time", "range", "samples in the window"], ["day_of_month", "v", "1 to 31, UTC"], ["day_of_week", "v", "0 for Sunday, UTC"],
  ["day_of_year", "v", "1 to 366, UTC"], ["days_in_month", "v", "28 to 31, UTC"], ["delta", "range", "difference over the window, of gauges"],
  ["deriv", "range", "per-second slope by linear regression, of gauges"], ["exp", "v", "e to the power"], ["first_over_time", "range", "first sample of the window"],
  ["floor", "v", "rounded down"], ["histogram_avg", "v", "average of a native histogram"], ["histogram_count", "v", "count of a native histogram"],
  ["histogram_fraction", "lower, upper, v", "share of observations between"], ["histogram_quantile", "φ, v", "quantile of a histogram"],
  ["histogram_stddev", "v", "standard deviation of a native histogram"], ["histogram_sum", "v", "sum of a native histogram"], ["hour", "v", "0 to 23, UTC"],
  ["idelta", "range", "difference of the last two samples"], ["increase", "range", "growth over the window, of counters"], ["irate", "range", "per-second rate of the last two samples"],
  ["label_join", "v, dst, sep, src…", "joins labels into one"], ["label_replace", "v, dst, replacement, src, regex", "a label from another by regex"],
  ["last_over_time", "range", "last sample of the window"], ["ln", "v", "natural logarithm"], ["log10", "v", "decimal logarithm"], ["log2", "v", "binary logarithm"],
  ["max_over_time", "range", "maximum over the window"], ["min_over_time", "range", "minimum over the window"], ["minute", "v", "0 to 59, UTC"], ["month", "v", "1 to 12, UTC"],
  ["predict_linear", "range, seconds", "where the slope leads"], ["present_over_time", "range", "1 when there was a sample"], ["quantile_over_time", "φ, range", "quantile over the window"],
  ["rate", "range", "per-second rate, of counters"], ["resets", "range", "times a counter restarted"], ["round", "v, to", "rounded to the nearest"], ["scalar", "v", "the one series as a number"],
  ["sgn", "v", "sign"], ["sort", "v", "ascending by value"], ["sort_by_label", "v, label…", "ascending by labels"], ["sort_desc", "v", "descending by value"], ["sqrt", "v", "square root"],
  ["stddev_over_time", "range", "standard deviation over the window"], ["stdvar_over_time", "range", "variance over the window"], ["sum_over_time", "range", "sum over the window"],
  ["time", "", "the evaluation time, in seconds"], ["timestamp", "v", "time of each sample"], ["vector", "scalar", "a number as a series"], ["year", "v", "the year, UTC"],
];

/** @type {[string, string][]} */
export const AGGREGATIONS = [
  ["sum", "sum of the series"], ["avg", "average"], ["min", "least"], ["max", "greatest"], ["count", "how many series"], ["count_values", "how many series by value"],
  ["group", "1 for each group"], ["stddev", "standard deviation"], ["stdvar", "variance"], ["topk", "the k greatest"], ["bottomk", "the k least"], ["quantile", "quantile across series"],
  ["limitk", "k series, any"], ["limit_ratio", "a share of the series, any"],
];

export const KEYWORDS = ["by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "and", "or", "unless", "atan2"];
export const DURATIONS = ["1m", "5m", "10m", "30m", "1h", "6h", "1d", "1w"];

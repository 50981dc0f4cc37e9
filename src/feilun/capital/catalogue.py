"""Every sentence of the report and the table: English, then Chinese, side by side."""

from feilun.page.words import Catalogue

CATALOGUE: Catalogue = {
    "title": ("Feilun runway", "飞轮：资金可撑多久"),
    "kicker": (
        "Runway · from {on} · {draws} drawn futures, seed {seed}",
        "资金跑道 · 自 {on} 起 · {draws} 次模拟，种子 {seed}",
    ),
    "headline": (
        "Half of all futures last {median} months or more; one in twenty ends before {worst}.",
        "一半的未来能撑 {median} 个月以上；每二十个里有一个撑不到 {worst} 个月。",
    ),
    "lede": (
        "Cash today is {cash}. Every figure below follows from the assumptions at the end of this "
        "page and from what the ledger measured; chance is drawn, with a seed. A model of "
        "your figures, and no forecast of what nobody wrote down.",
        "目前现金 {cash}。下面每个数字都来自页末的假设和账本的实测，随机部分由种子决定，可以重算。"
        "它是你这些数字的模型，不预测没有写下来的事。",
    ),
    "beyond": ("over {horizon}", "超过 {horizon}"),
    "runway": ("How long the money lasts", "钱能撑多久"),
    "months": ("months", "个月"),
    "planned": ("As planned", "按计划"),
    "after": ("With the budget spent", "投入预算之后"),
    "quantile": ("Months, {share} of futures end before", "月数：{share} 的未来在此之前用完"),
    "lasts": ("Lasts {months} months", "撑过 {months} 个月"),
    "fan": ("Cash, month by month", "逐月现金"),
    "fan.alt": (
        "Fan chart of cash over {horizon} months. The median starts at {cash} and is {end} at the "
        "end; runway quantiles are in the table.",
        "{horizon} 个月的现金扇形图。中位数从 {cash} 开始，到期末为 {end}；跑道分位数见表格。",
    ),
    "fan.note": (
        "Of a hundred futures ninety lie in the pale band and fifty in the dark one in each month. "
        "Below zero there is no money: such a future has ended and only shows how much was "
        "missing.",
        "每个月，一百个未来里有九十个落在浅色带内，五十个落在深色带内。零线以下已经没有钱："
        "那里只表示还缺多少。",
    ),
    "fan.90": ("90 % of futures", "90 % 的未来"),
    "fan.50": ("50 %", "50 %"),
    "fan.mid": ("median", "中位数"),
    "fan.after": ("median with the budget spent", "投入预算后的中位数"),
    "zero": ("no cash", "现金用尽"),
    "drivers": ("What moves it", "什么影响最大"),
    "drivers.note": (
        "The median runway if one entry turns out badly (its 10th percentile) or well (its "
        "90th), all "
        "others as drawn. The thin mark: a tenth less or more of it. An entry without declared "
        "uncertainty has no bar.",
        "某一项变坏（第 10 百分位）或变好（第 90 百分位）、其余照常随机时的跑道中位数。"
        "细线：这一项少或多一成。没有声明不确定性的项没有横条。",
    ),
    "drivers.alt": (
        "Tornado of {count} entries. The widest is {first}: {low} to {high} months.",
        "{count} 项的龙卷风图。影响最大的是{first}：{low} 至 {high} 个月。",
    ),
    "bad": ("turns out badly", "变坏"),
    "good": ("turns out well", "变好"),
    "tenth": ("a tenth less or more", "少或多一成"),
    "bets": ("Staged bets, and when to go on", "分阶段投注：何时继续"),
    "bet.value": (
        "{name}: worth {value} today (± {error}), after its costs. The right to stop is "
        "{option} of that.",
        "{name}：扣除成本后今天值 {value}（± {error}），其中随时停止的权利值 {option}。",
    ),
    "rule.always": ("whatever it is", "任何估值"),
    "rule.never": ("never", "从不继续"),
    "rule.least": ("it is at least {least}", "不低于 {least}"),
    "rule.stage": ("Stage", "阶段"),
    "rule.month": ("Month", "月份"),
    "rule.cost": ("Cost", "成本"),
    "rule.go": ("Go on if the estimate of its value", "继续的条件（当时的估值）"),
    "rule.reached": ("Begun in", "开始的概率"),
    "rule.scale": (
        "Scale up at the end from an estimate of {least} on.",
        "期末估值达到 {least} 时扩大规模。",
    ),
    "split": ("Where {budget} goes", "{budget} 投向哪里"),
    "split.kept": (
        "The promise is kept: {months} months with probability {odds} (asked: {asked}; on "
        "fresh futures).",
        "承诺成立：撑过 {months} 个月的概率为 {odds}（要求 {asked}；以未参与选择的模拟检验）。",
    ),
    "split.broken": (
        "The promise cannot be kept: {months} months has probability {odds} at best (asked: "
        "{asked}). "
        "Shown is what breaks it least.",
        "承诺无法兑现：撑过 {months} 个月的概率最多 {odds}（要求 {asked}）。所示为违背最少的分配。",
    ),
    "split.short": (
        "The promise holds on the futures that chose and misses by chance on fresh ones: "
        "{months} months with "
        "probability {odds} (asked: {asked}).",
        "承诺在参与选择的模拟上成立，在新的模拟上略有不足：撑过 {months} 个月的概率为 "
        "{odds}（要求 {asked}）。",
    ),
    "split.net": (
        "{spent} is spent and {left} kept; worth {net} today beyond what is spent.",
        "投入 {spent}，留存 {left}；扣除投入后今天值 {net}。",
    ),
    "split.name": ("Into", "投向"),
    "split.amount": ("Amount", "金额"),
    "split.worth": ("Worth today", "今天的价值"),
    "split.marginal": ("One more unit brings", "再投一单位的回报"),
    "split.grown": ("With a tenth more budget", "预算多一成时"),
    "split.bet": ("bet: {name} (first stage)", "投注：{name}（第一阶段）"),
    "split.no_bet": ("bet: {name}: not begun", "投注：{name}：不开始"),
    "split.same": (
        "A tenth more budget changes nothing: the promise or the returns bind, not the budget.",
        "预算多一成也没有变化：限制来自承诺或回报，不是预算。",
    ),
    "split.more": ("A tenth more budget is worth {net} more.", "预算多一成，价值增加 {net}。"),
    "tasks": ("What the ledger says", "账本怎么说"),
    "task.measured": (
        "{task}: measured {first} to {last}: margin {margin} a call (± {error}), {calls} calls "
        "a day (± {spread}).",
        "{task}：实测 {first} 至 {last}：每次调用毛利 {margin}（± {error}），每天 {calls} "
        "次（± {spread}）。",
    ),
    "task.accepted": (
        "An accepted result costs {mid} ({low} to {high}).",
        "每个被接受的结果花费 {mid}（{low} 至 {high}）。",
    ),
    "task.payback": ("Paid back on {on}.", "回本日期 {on}。"),
    "task.assumed": (
        "{task}: assumed, not measured: margin {margin} a call, {calls} calls a day. Name "
        "--store to measure it.",
        "{task}：假设，未实测：每次调用毛利 {margin}，每天 {calls} 次。指定 --store 即可实测。",
    ),
    "assumptions": ("What is assumed", "假设"),
    "assumption.place": ("In the file", "文件中的位置"),
    "assumption.value": ("Value", "取值"),
    "assumption.why": ("Why", "理由"),
    "assumption.none": ("no reason given", "没有写理由"),
    "unreasoned": (
        "{count} of {all} figures have no reason (why): {places}.",
        "{all} 个数字里有 {count} 个没有理由（why）：{places}。",
    ),
    "list": ("These figures as a table", "以表格查看这些数字"),
}

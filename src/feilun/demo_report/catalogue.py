"""Every sentence of the report and the table: English, then Chinese, side by side.

A key that lacks a language cannot be written down here. Both columns name the same
places, in braces; a test holds them to it.
"""

CATALOGUE: dict[str, tuple[str, str]] = {
    # The head
    "title": ("Feilun demo: {task}", "飞轮演示：{task}"),
    "kicker": ("Demo report · {task} · {days}", "演示报告 · {task} · {days}"),
    "headline": (
        "A {size} student now answers {share} of calls at a certified loss of at most {line}; "
        "people judged {audits} answers.",
        "{size} 的学生模型如今承接 {share} 的调用，损失经证书保证不超过 {line}；"
        "人工共审核 {audits} 条回答。",
    ),
    "headline.unsized": (
        "A student now answers {share} of calls at a certified loss of at most {line}; "
        "people judged {audits} answers.",
        "学生模型如今承接 {share} 的调用，损失经证书保证不超过 {line}；"
        "人工共审核 {audits} 条回答。",
    ),
    "headline.refused": (
        "No student serves yet: {turns} turns, {refused} refusals. The teacher answers every "
        "call; people judged {audits} answers.",
        "还没有学生模型上岗：飞轮转了 {turns} 轮，{refused} 次被拒绝。所有调用仍由教师模型回答；"
        "人工共审核 {audits} 条回答。",
    ),
    "lede": (
        "{calls} lines of bookkeeping went round the wheel. The student answers where it is sure "
        "and the teacher answers the rest. Loss is the share of wrong answers among those that "
        "the student gives; {n} random audits bound it with {confidence} confidence.",
        "{calls} 条记账文本走完了飞轮。学生模型有把握时由它回答，其余仍交给教师模型。"
        "损失指学生模型给出的回答中错误的比例；"
        "{n} 条随机抽检以 {confidence} 的置信度限定了它的上限。",
    ),
    "lede.refused": (
        "{calls} lines of bookkeeping went round the wheel. A student may serve once random "
        "audits show that at most {line} of its answers are wrong. That was not shown, so the "
        "red line kept it out. A refusal is a result: below is what each one lacked.",
        "{calls} 条记账文本走完了飞轮。只有随机抽检证明学生模型的错误不超过 {line}，它才能上岗。"
        "这一点尚未得到证明，红线便把它挡在门外。拒绝也是结果：下文列出每次还缺什么。",
    ),
    # Common words
    "none": ("–", "–"),
    "student": ("Student", "学生模型"),
    "teacher": ("Teacher", "教师模型"),
    "certified": ("Certified", "颁发证书"),
    "refused": ("Refused", "拒绝"),
    "red_line": ("Red line", "红线"),
    "as_table": ("These figures as a table", "以表格查看这些数字"),
    # Before and after
    "ba": ("Before and after", "上岗前后"),
    "ba.title_refused": ("Where it stands", "现状"),
    "ba.now": ("So far", "目前为止"),
    "ba.before": ("Before", "之前"),
    "ba.after": ("After", "之后"),
    "ba.figure": ("Figure", "指标"),
    "ba.who_before": ("the teacher alone", "仅教师模型"),
    "ba.who_after": ("student first, since the first release", "学生模型优先，自首次上岗"),
    "ba.calls": ("{calls} calls", "{calls} 次调用"),
    "ba.accuracy": ("Right answers, as judged by people", "正确率（人工审核）"),
    "ba.interval": ("95 % interval {interval}", "95% 区间 {interval}"),
    "ba.audits": ("{audits} audits", "{audits} 条抽检"),
    "ba.share": ("Served by the student", "学生模型承接的比例"),
    "ba.cost": ("Cost per 1,000 calls", "每千次调用成本"),
    "ba.wheel": ("the wheel's own part {cost}", "其中飞轮自身 {cost}"),
    "ba.unpriced": ("a price is missing", "缺少价格"),
    "ba.latency": ("Latency, p50", "延迟中位数（p50）"),
    "ba.loss": ("Loss of the student's answers", "学生模型回答的损失"),
    "ba.no_student": ("no student yet", "尚无学生模型"),
    "ba.unaudited": ("none of them audited yet", "尚无抽检"),
    "ba.line": ("red line {line}", "红线 {line}"),
    "ba.note": (
        "The wheel's own part is audits, labels, training and the student's seconds. The two "
        "stretches hold different calls, so not every difference is the wheel's doing.",
        "飞轮自身的成本包括抽检、标注、训练和学生模型的运行时间。"
        "前后两段的调用并不相同，差异不全是飞轮带来的。",
    ),
    "ba.note_refused": (
        "The wheel's own part is audits, labels and training.",
        "飞轮自身的成本包括抽检、标注和训练。",
    ),
    # Chart 1: who answers
    "days": ("Who answers, day by day", "每天由谁回答"),
    "days.alt": (
        "Share of each day's calls that the student served. Until {release}: none. From then "
        "on: {share} on average, between {low} and {high} a day. {turns} turns of the wheel: "
        "{certified} certified, {refused} refused.",
        "学生模型每天承接的调用比例。{release} 及之前为零；此后平均 {share}，"
        "每天在 {low} 与 {high} 之间。"
        "飞轮共转 {turns} 轮：颁发证书 {certified} 次，拒绝 {refused} 次。",
    ),
    "days.alt_refused": (
        "The teacher served every call of every day. {turns} turns of the wheel: all refused.",
        "每天的每次调用都由教师模型回答。飞轮共转 {turns} 轮，全部被拒绝。",
    ),
    "days.note": (
        "The marks above the bars are turns of the wheel. Only a certificate lets the student in.",
        "柱状图上方的标记是飞轮的每一轮。只有证书才能让学生模型上岗。",
    ),
    "col.days": ("Days", "日期"),
    "col.calls": ("Calls", "调用"),
    "col.share": ("By student", "学生模型"),
    "col.right": ("Right", "正确率"),
    # Chart 2: accuracy
    "gold": ("Right answers, against gold", "对照标准答案的正确率"),
    "gold.alt": (
        "Right answers of all calls against gold in windows of {size} days, between {low} and "
        "{high}. Mean before the release {before}, after it {after}. The red line for the "
        "student's answers lies at {line}.",
        "全部调用对照标准答案的正确率，每 {size} 天一个窗口，介于 {low} 与 {high} 之间。"
        "上岗前平均 {before}，上岗后平均 {after}。学生模型回答的红线为 {line}。",
    ),
    "gold.alt_refused": (
        "Right answers of all calls against gold in windows of {size} days, between {low} and "
        "{high}, mean {before}. The red line for a student's answers lies at {line}.",
        "全部调用对照标准答案的正确率，每 {size} 天一个窗口，"
        "介于 {low} 与 {high} 之间，平均 {before}。学生模型回答的红线为 {line}。",
    ),
    "gold.note": (
        "Only a demo has gold: at work you know what the audits say, and no more. The curve "
        "counts all answers, the teacher's too; the red line binds the student's alone.",
        "只有演示才有标准答案：实际使用时，你只知道抽检的结论。"
        "曲线统计全部回答，包括教师模型的；红线只约束学生模型的回答。",
    ),
    "gold.line": ("red line for the student {line}", "学生模型红线 {line}"),
    "gold.window": ("windows of {size} days", "每 {size} 天一个窗口"),
    "gold.day": ("one day", "单日"),
    "gold.all": ("all days, mean {mean}", "全部日期，平均 {mean}"),
    "gold.before": ("until the first release, mean {mean}", "首次上岗前，平均 {mean}"),
    "gold.after": ("since then, mean {mean}", "此后，平均 {mean}"),
    # Chart 3: the certificate
    "proof": ("The certificate", "证书"),
    "proof.refused": ("The latest refusal", "最近一次拒绝"),
    "proof.sentence": (
        "Where its confidence is at least {threshold}, this student is wrong in at most {line} "
        "of its answers. That is shown with {confidence} confidence for traffic like that of "
        "the audits.",
        "当置信分不低于 {threshold} 时，该学生模型的错误不超过其回答的 {line}。"
        "对于与抽检同类的流量，这一结论的置信度为 {confidence}。",
    ),
    "proof.bound": ("Loss is at most", "损失上限"),
    "proof.correctness": ("bounds correctness, judged by people", "约束的是正确性，由人工判定"),
    "proof.agreement": (
        "bounds agreement with the teacher, not correctness",
        "约束的是与教师模型的一致性，而非正确性",
    ),
    "proof.confidence": ("Confidence, 1 − δ", "置信度 1 − δ"),
    "proof.n": ("Audits it served, n", "其承接的抽检数 n"),
    "proof.of": ("of {audits} fresh audits", "共 {audits} 条新抽检"),
    "proof.threshold": ("Threshold", "阈值"),
    "proof.coverage": ("Coverage", "覆盖率"),
    "proof.loss": ("Loss seen", "观测损失"),
    "proof.upper": ("upper limit {upper}", "上限 {upper}"),
    "proof.missing": ("Audits missing", "还缺抽检"),
    "proof.cost": ("They would cost", "预计花费"),
    "proof.look": ("Look", "检验次序"),
    "proof.look_spent": ("δ {delta} spent", "已花费 δ {delta}"),
    "proof.look_kept": ("not spent", "未花费"),
    "expected": ("What it expected, and what was shown", "预期与实证"),
    "expected.alt": (
        "Expected loss against coverage, from {first_loss} at {first} of calls to {last_loss} at "
        "{last}. Red line at {line}.",
        "预期损失随覆盖率变化：覆盖 {first} 的调用时为 {first_loss}，覆盖 {last} 时为 {last_loss}。"
        "红线为 {line}。",
    ),
    "expected.alt_none": (
        "The candidate had too little to expect anything. Red line at {line}.",
        "候选模型的数据太少，无法给出预期。红线为 {line}。",
    ),
    "expected.alt_certified": (
        "Certified point: coverage {coverage}, loss {loss}, upper limit {upper}.",
        "证书点：覆盖率 {coverage}，损失 {loss}，上限 {upper}。",
    ),
    "expected.alt_tested": (
        "Tested and refused: coverage {coverage}, loss {loss}.",
        "检验后被拒绝：覆盖率 {coverage}，损失 {loss}。",
    ),
    "expected.curve": ("expected in training", "训练时的预期"),
    "expected.point": ("shown by audits, with upper limit", "抽检所证，带上限"),
    "expected.tested": ("seen on audits: refused", "抽检所见：拒绝"),
    "expected.x": ("coverage: share of calls it would serve", "覆盖率：它将承接的调用比例"),
    "expected.y": ("loss", "损失"),
    "expected.note": (
        "The curve is the student's own guess and plans the look; it proves nothing. The point "
        "comes from audits that it had never seen.",
        "曲线是学生模型自己的估计，只用来安排检验，不能证明什么。点来自它从未见过的抽检。",
    ),
    "expected.note_refused": (
        "The curve is the student's own guess and plans the look; it proves nothing.",
        "曲线是学生模型自己的估计，只用来安排检验，不能证明什么。",
    ),
    # Turns
    "turns": ("Every turn of the wheel", "飞轮的每一轮"),
    "turns.note": (
        "n counts the audits at or above the threshold, or those tested. The looks so far have "
        "spent δ = {spent} of {budget}, the task's budget for its whole life, however often it "
        "is retrained.",
        "n 是置信分达到阈值的抽检数，或被检验的抽检数。至今各次检验共花费 δ = {spent}，"
        "而该任务一生的预算为 {budget}，无论重训多少次。",
    ),
    "turn.number": ("Turn", "轮次"),
    "turn.date": ("Date", "日期"),
    "turn.verdict": ("Verdict", "结论"),
    "turn.learnt": ("Learnt from", "训练样本"),
    "turn.audits": ("Audits", "抽检"),
    "turn.bound": ("Bound", "约束"),
    "turn.confidence": ("1 − δ", "1 − δ"),
    "turn.n": ("n", "n"),
    "turn.loss": ("Loss", "损失"),
    "turn.threshold": ("Threshold", "阈值"),
    "turn.coverage": ("Coverage", "覆盖率"),
    "turn.delta": ("δ spent", "花费 δ"),
    "bounds.correctness": ("correctness", "正确性"),
    "bounds.agreement": ("agreement", "一致性"),
    "say.certified": (
        "May answer {coverage} of calls: loss {loss} seen, at most {upper} at this threshold.",
        "可承接 {coverage} 的调用：观测损失 {loss}，在该阈值处不超过 {upper}。",
    ),
    "say.too_few_audits": (
        "Too few audits to expect a pass, so no look was spent.",
        "抽检太少，难以通过，因此未花费检验。",
    ),
    "say.too_weak": (
        "By its own expectation above the red line, so no look was spent. More audits would not "
        "help; more corrections may.",
        "按它自己的预期已超过红线，因此未花费检验。增加抽检无济于事，更多的人工更正或许有用。",
    ),
    "say.above_line": (
        "Its {tested} surest audits showed a loss of {loss}: not proven below the red line.",
        "在它最有把握的 {tested} 条抽检上损失为 {loss}：未能证明低于红线。",
    ),
    "say.missing": (
        "Missing: about {audits} audits, {cost}.",
        "还缺约 {audits} 条抽检，需 {cost}。",
    ),
    "say.missing_unpriced": (
        "Missing: about {audits} audits; their price is unknown.",
        "还缺约 {audits} 条抽检；价格未知。",
    ),
    "say.no_help": (
        "No number of audits would help at this loss.",
        "以此损失，再多抽检也无济于事。",
    ),
    # Payback
    "payback": ("Payback", "回本"),
    "payback.reached": (
        "Paid back after {calls} calls, on day {days}.",
        "第 {calls} 次调用、第 {days} 天已回本。",
    ),
    "payback.projected": (
        "Not yet paid back. At the margin since the last release it will be after {calls} calls, "
        "on day {days}.",
        "尚未回本。按最近一次上岗以来的边际收益推算，将在第 {calls} 次调用、第 {days} 天回本。",
    ),
    "payback.interval": (
        "95 % interval: {calls_low} to {calls_high} calls, day {days_low} to {days_high}.",
        "95% 区间：第 {calls_low} 至 {calls_high} 次调用，第 {days_low} 至 {days_high} 天。",
    ),
    "payback.open": (
        "95 % interval: from {calls_low} calls, day {days_low}, with no upper end.",
        "95% 区间：从第 {calls_low} 次调用、第 {days_low} 天起，没有上限。",
    ),
    "payback.never": (
        "Not at this margin: since the last release the wheel costs more than it saves.",
        "按当前边际收益无法回本：最近一次上岗以来，飞轮的花费高于节省。",
    ),
    "payback.idle": (
        "No student has served, so nothing has been saved yet.",
        "学生模型尚未上岗，因此还没有节省。",
    ),
    "payback.unpriced": (
        "Unknown: the price book names no price for {items}.",
        "未知：价格表中没有 {items} 的价格。",
    ),
    "payback.few": (
        "Unknown: too few calls of the teacher to tell what one costs.",
        "未知：教师模型的调用太少，无法得知单次成本。",
    ),
    "payback.spent": ("Spent on the wheel", "飞轮已花费"),
    "payback.saved": ("Saved by the student", "学生模型已节省"),
    "payback.each": ("One call of the teacher", "教师模型单次调用"),
    "payback.note": (
        "Spent: audits, labels, training and the student's seconds. Saved: the mean cost of a "
        "teacher's call, for each call that the student served.",
        "花费：抽检、标注、训练和学生模型的运行时间。节省：学生模型每承接一次调用，"
        "按教师模型单次调用的平均成本计。",
    ),
    # Verification
    "verify": ("Verification", "复核"),
    "verify.all": (
        "{same} of {checked} verdicts and releases, derived again from the log, came out the same.",
        "从日志重新推导 {checked} 项结论与上岗记录，{same} 项完全一致。",
    ),
    "verify.own": ("Derive them yourself:", "自己推导一遍："),
    "verify.problem": ("Differs: {kind} {id}: {problem}", "不一致：{kind} {id}：{problem}"),
    # What is real
    "origin": ("Where these figures come from", "这些数字从何而来"),
    "origin.written": ("Written", "编写"),
    "origin.written_say": (
        "The {calls} lines and their right categories were written for this project, not "
        "collected: nobody typed them in earnest.",
        "{calls} 条文本及其正确类别是为本项目编写的，并非收集而来：没有人真正输入过它们。",
    ),
    "origin.recorded": ("Recorded", "录制"),
    "origin.recorded_say": (
        "The order of the lines, and the teacher's answers, tokens and seconds: {teacher} on a "
        "2-core CPU.",
        "文本的顺序，以及教师模型的回答、词元数和耗时：{teacher}，运行在 2 核 CPU 上。",
    ),
    "origin.simulated": ("Simulated", "模拟"),
    "origin.simulated_say": (
        "The people. They know the right category. They correct {corrects} of the wrong answers "
        "that they are shown ({corrections} corrections), and judge every answer that is drawn "
        "for an audit: {audit_rate} of calls until the first release, {watch_rate} from then on.",
        "人。他们知道正确类别：更正所见错误回答的 {corrects}（共 {corrections} 次更正），"
        "并审核每一条被抽中的回答：首次上岗前抽检 {audit_rate} 的调用，此后抽检 {watch_rate}。",
    ),
    "origin.real": ("Real", "真实"),
    "origin.real_say": (
        "All the rest: the log, the datasets, the training, the statistics, the releases, the "
        "ledger. The student's seconds were measured on this machine.",
        "其余一切：日志、数据集、训练、统计检验、上岗、账本。学生模型的耗时在本机实测。",
    ),
    "origin.tariff": ("Tariff", "价格"),
    "origin.tariff_say": (
        "Unless you passed --prices, costs follow an example tariff: recorded tokens are billed "
        "as if a hosted model had answered.",
        "若未指定 --prices，成本按示例价格计算：录制的词元按托管模型的价格计费。",
    ),
    # What next
    "next": ("Three things to try next", "接下来可以试的三件事"),
    "next.appraise": ("See what your own log would save", "看看你自己的日志能省多少"),
    "next.verify": ("Derive every verdict again", "重新推导每一项结论"),
    "next.rollback": ("Move the task back to its teacher", "把任务交还给教师模型"),
    # The terminal alone
    "table.line": ("Certificate", "证书"),
    "table.certificate": (
        "loss at most {line} at {confidence} confidence: {n} audits at or above {threshold}, "
        "coverage {coverage}, loss seen {loss}, upper limit {upper}",
        "损失不超过 {line}，置信度 {confidence}：{n} 条抽检达到阈值 {threshold}，"
        "覆盖率 {coverage}，观测损失 {loss}，上限 {upper}",
    ),
    "table.no_certificate": (
        "none: the red line of {line} keeps every student out",
        "无：{line} 的红线把所有学生模型挡在门外",
    ),
    "table.refusals": ("Refusals on the way", "途中的拒绝"),
    "table.simulated": (
        "Lines written for the project, teacher recorded, people simulated, prices an example: "
        "the report says which is which.",
        "文本为编写，教师模型为录制，人为模拟，价格为示例：报告中逐项说明。",
    ),
}

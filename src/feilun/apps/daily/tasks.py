"""The tasks of the bookkeeping app."""

from typing import Literal

from feilun.tasks import task

Category = Literal[
    "dining", "groceries", "transport", "shopping", "housing", "utilities", "health",
    "education", "entertainment", "travel", "children", "gifts", "pets", "income", "finance",
]  # fmt: skip


SHOTS: dict[str, Category] = {
    "吃了碗牛肉面 18": "dining",
    "lidl milk and eggs 6.2": "groceries",
    "打车去公司 23": "transport",
    "new trainers 60 quid": "shopping",
    "交房租 2500": "housing",
    "phone bill 20": "utilities",
    "药店买感冒药": "health",
    "kindle book 9.99": "education",
    "看电影两张票": "entertainment",
    "hotel 2 nights osaka": "travel",
    "尿不湿两包": "children",
    "给同学随礼 600": "gifts",
    "cat litter": "pets",
    "发工资了 8000": "income",
    "还信用卡 3000": "finance",
    "瑞幸 生椰拿铁 9.9": "dining",
    "叮咚买菜 青菜鸡蛋 32": "groceries",
    "uber to airport 45": "transport",
    "haircut 25 quid": "shopping",
    "物业费 1200": "housing",
    "icloud 6元": "utilities",
    "gym monthly 199": "health",
    "考研资料 88": "education",
    "ktv AA 70": "entertainment",
    "机票 去成都 820": "travel",
    "daycare fees 600": "children",
    "给妈妈转2000": "gifts",
    "狗粮 一袋": "pets",
    "报销到账 356": "income",
    "train ticket to berlin 39": "travel",
    "charity donation 20": "gifts",
    "bank fee 3": "finance",
}


@task(name="expense.category", max_loss=0.2, shots=SHOTS)
def category(line: str) -> Category:
    """Choose the category of one line that a person typed into a bookkeeping app.
    The line may be Chinese, English or mixed.

    dining: ready-made food and drinks. groceries: food and consumables for home.
    transport: getting around town, and the car. shopping: things and personal care.
    housing: rent, mortgage, home services. utilities: water, power, internet, phone, software.
    health: doctor, medicine, sports. education: courses, books, exams for adults.
    entertainment: cinema, games, streaming, concerts. travel: flights, trains, hotels, sights.
    children: anything for a child. gifts: presents, red packets, donations, money for parents.
    pets: anything for a pet. income: money that comes in.
    finance: transfers, loans, cards, fees, taxes, insurance, investments.
    """
    raise NotImplementedError("a declaration; models answer it")

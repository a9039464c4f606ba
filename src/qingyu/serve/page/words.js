// Everything the page says, in English and Chinese side by side.
//
//   say("send")                        "Send" or "发送"
//   say("tokens", { count: 3 })        {count} is filled in
//   sayAll(root)                       fills data-say, data-say-label, data-say-placeholder

const WORDS = {
  ask: ["Ask anything…", "想聊点什么？"],
  skip: ["Skip to the message box", "跳到输入框"],
  conversations: ["Conversations", "对话列表"],
  conversation: ["Conversation", "对话内容"],
  newChat: ["New chat", "新对话"],
  untitled: ["New chat", "新对话"],
  search: ["Search conversations", "搜索对话"],
  noMatch: ["No conversation has “{query}”.", "没有包含“{query}”的对话。"],
  noConversations: ["Conversations appear here. They stay in this browser.", "对话会出现在这里，只保存在本浏览器中。"],
  today: ["Today", "今天"],
  yesterday: ["Yesterday", "昨天"],
  earlier: ["Earlier", "更早"],
  rename: ["Rename", "重命名"],
  renameOf: ["Rename “{title}”", "重命名“{title}”"],
  remove: ["Delete", "删除"],
  removeOf: ["Delete “{title}”", "删除“{title}”"],
  exportOf: ["Export “{title}” as JSON", "将“{title}”导出为 JSON"],
  exportAll: ["Export all conversations as JSON", "将全部对话导出为 JSON"],
  nothingToExport: ["There is no conversation to export.", "没有可导出的对话。"],
  removed: ["Deleted “{title}”.", "已删除“{title}”。"],
  undo: ["Undo", "撤销"],
  newName: ["New name", "新名称"],
  assistant: ["Assistant", "助手"],
  openSidebar: ["Show conversations", "显示对话列表"],
  close: ["Close", "关闭"],
  cancel: ["Cancel", "取消"],
  settings: ["Settings of this conversation", "本对话的设置"],
  shortcuts: ["Keyboard shortcuts", "键盘快捷键"],
  languageSwitch: ["切换到中文", "Switch to English"],
  languageName: ["中文", "EN"],
  themeLight: ["Switch to light colours", "切换到浅色"],
  themeDark: ["Switch to dark colours", "切换到深色"],
  yourMessage: ["Your message", "你的消息"],
  send: ["Send", "发送"],
  stop: ["Stop", "停止"],
  hint: ["Enter sends · Shift+Enter starts a new line", "Enter 发送 · Shift+Enter 换行"],
  toEnd: ["Go to the end", "跳到最新"],
  you: ["You", "你"],
  answer: ["Answer", "回答"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  copyFailed: ["The browser does not allow copying; select the text instead.", "浏览器不允许复制，请手动选择文本。"],
  copyCode: ["Copy code", "复制代码"],
  code: ["Code", "代码"],
  table: ["Table", "表格"],
  image: ["Image", "图片"],
  edit: ["Edit", "编辑"],
  editing: ["Edit your message", "编辑你的消息"],
  sendAgain: ["Send", "发送"],
  retry: ["Try again", "重试"],
  retryAnswer: ["Answer again", "重新回答"],
  previous: ["Earlier version", "上一个版本"],
  next: ["Later version", "下一个版本"],
  versionShown: ["Another version is shown.", "已切换到另一个版本。"],
  version: ["Version {index} of {count}", "第 {index} 版，共 {count} 版"],
  thinking: ["Thinking", "思考过程"],
  waiting: ["Waiting for the first word", "正在等待第一个词"],
  writing: ["Writing", "正在书写"],
  finished: ["Answer finished.", "回答完毕。"],
  stopped: ["stopped", "已停止"],
  interrupted: ["interrupted", "已中断"],
  reachedLimit: ["The answer reached the token limit and ends here.", "回答达到词元上限，到此为止。"],
  reachedLimitSchema: [
    "The answer reached the token limit in the middle of the structure, so it is not complete JSON.",
    "回答在结构中途达到词元上限，因此不是完整的 JSON。",
  ],
  contextFull: [
    "The conversation fills the model's context, so the answer ends here. Begin a new chat.",
    "对话已占满模型的上下文，回答到此为止。请开始新对话。",
  ],
  contextFullSchema: [
    "The context is full in the middle of the structure, so it is not complete JSON. Begin a new chat.",
    "上下文在结构中途占满，因此不是完整的 JSON。请开始新对话。",
  ],
  raiseLimit: ["Raise the limit", "提高上限"],
  tokens: ["{count} tokens", "{count} 词元"],
  oneToken: ["1 token", "1 词元"],
  perSecond: ["{speed} tokens/s", "{speed} 词元/秒"],
  firstToken: ["first after {seconds} s", "首词 {seconds} 秒"],
  cached: ["{cached} of {prompt} prompt tokens cached", "提示 {prompt} 词元中 {cached} 个来自缓存"],
  schemaOn: ["JSON schema", "JSON 结构"],
  systemOn: ["System prompt", "系统提示"],
  hello: ["What shall we talk about?", "今天聊点什么？"],
  helloLine: ["{model} runs on this machine. What you write stays here.", "{model} 在本机运行，内容不会外传。"],
  helloHere: ["{model} runs on this machine.", "{model} 在本机运行。"],
  helloOpen: ["{model} runs on the machine that serves this page.", "{model} 在提供本页面的机器上运行。"],

  systemPrompt: ["System prompt", "系统提示"],
  systemHelp: ["Tells the model who it is and how to answer.", "告诉模型它是谁、该如何回答。"],
  systemExample: ["You are a helpful assistant. Answer briefly.", "你是一个乐于助人的助手，回答要简短。"],
  sampling: ["Sampling", "采样"],
  temperature: ["Temperature", "温度"],
  temperatureHelp: ["0 always takes the likeliest token; higher is more varied.", "0 总取最可能的词元；越高越多样。"],
  topP: ["Top-p", "Top-p"],
  topPHelp: ["Only the likeliest tokens that together reach this share. 1 is off.", "只取累计概率达到此值的最可能词元；1 为关闭。"],
  topK: ["Top-k", "Top-k"],
  topKHelp: ["Only this many of the likeliest tokens. 0 is off.", "只取最可能的这么多个词元；0 为关闭。"],
  minP: ["Min-p", "Min-p"],
  minPHelp: ["Drops tokens less likely than this share of the likeliest. 0 is off.", "去掉概率低于最可能词元此比例的词元；0 为关闭。"],
  maxTokens: ["Most tokens in an answer", "回答的最多词元数"],
  maxTokensHelp: ["Empty: until the context is full.", "留空：直到上下文用完。"],
  seed: ["Seed", "随机种子"],
  seedHelp: ["The same seed gives the same answer. Empty: chance.", "相同的种子得到相同的回答；留空则随机。"],
  repetition: ["Repetition penalty", "重复惩罚"],
  repetitionHelp: ["Above 1 avoids saying the same again. 1 is off.", "大于 1 时避免重复；1 为关闭。"],
  think: ["Thinking first", "先思考"],
  thinkHelp: ["For models that can think before they answer.", "适用于能先思考再回答的模型。"],
  thinkModel: ["As the model does", "按模型默认"],
  thinkYes: ["Yes", "是"],
  thinkNo: ["No", "否"],
  stopAt: ["Stop at", "遇到即停"],
  stopAtHelp: ["One text per line, four at most. The answer ends before it.", "每行一段文本，最多四行；回答会在其之前结束。"],
  schema: ["JSON schema", "JSON 结构（schema）"],
  schemaHelp: ["Answers will be JSON that fits this schema, by construction. Empty: free text.", "回答将必定是符合此结构的 JSON；留空则为自由文本。"],
  schemaExample: ["Use an example", "填入示例"],
  schemaTidy: ["Tidy", "整理格式"],
  schemaFine: ["Valid JSON", "JSON 有效"],
  schemaBroken: ["Not JSON yet: {reason}", "还不是有效的 JSON：{reason}"],
  schemaNotObject: ["A schema is a JSON object, in braces.", "结构须是花括号包起来的 JSON 对象。"],
  numberRange: ["{name} must be from {low} to {high}.", "{name}须在 {low} 到 {high} 之间。"],
  keepDefaults: ["Use for new chats", "用于新对话"],
  keptDefaults: ["New chats start with these settings.", "新对话将使用这些设置。"],
  reset: ["Reset", "恢复默认"],
  done: ["Done", "完成"],

  model: ["Model and memory", "模型与内存"],
  modelOf: ["Model {name}, details", "模型 {name}，详情"],
  name: ["Name", "名称"],
  family: ["Family", "系列"],
  parameters: ["Parameters", "参数量"],
  context: ["Context", "上下文"],
  contextTokens: ["{count} tokens", "{count} 词元"],
  weights: ["Weights", "权重"],
  machine: ["Instruction set, threads", "指令集与线程"],
  memory: ["Memory", "内存"],
  resident: ["Memory of the process", "进程内存"],
  kvUsed: ["Conversation memory (KV)", "会话内存（KV）"],
  ofTokens: ["{used} of {total} tokens", "{used} / {total} 词元"],
  work: ["Work", "负载"],
  running: ["Answering now", "正在回答"],
  waitingNow: ["Waiting in the queue", "排队中"],
  answered: ["Requests answered", "已回答请求"],
  tokensWritten: ["Tokens written", "已生成词元"],
  tokensRead: ["Prompt tokens read", "已读入提示词元"],
  tokensReused: ["of these taken from memory", "其中来自缓存"],
  uptime: ["Running for", "已运行"],
  serverVersion: ["Qingyu version", "轻语版本"],
  loading: ["Loading…", "正在载入…"],

  sealed: ["Sealed", "已封闭"],
  sealedLong: ["Sealed · nothing can leave", "已封闭 · 无法外传"],
  notSealed: ["Not sealed", "未封闭"],
  sealUnknown: ["Seal unknown", "封闭状态未知"],
  sealTitle: ["The seal", "封闭状态"],
  sealedText: [
    "The server has locked itself: it cannot open a connection to any other machine. What you write cannot leave through it.",
    "服务器已将自己封闭：它无法与任何其他机器建立连接，你写下的内容无法经由它外传。",
  ],
  notSealedText: [
    "This server could open connections to other machines. It has no reason to, but nothing stops it.",
    "此服务器可以与其他机器建立连接。它没有理由这样做，但也没有什么阻止它。",
  ],
  layers: ["Locks", "封锁层"],
  layerOn: ["active", "生效"],
  layerRefuses: ["refuses: {what}", "拒绝：{what}"],
  layer_seccomp: [
    "Refuses new sockets, connections, io_uring and foreign system calls.",
    "拒绝新建套接字、发起连接、io_uring 和外来系统调用。",
  ],
  layer_namespace: ["The server is on a network with nothing on it.", "服务器处于一个空的网络中。"],
  layer_landlock: [
    "Refuses other processes, and all files but the model's and its own.",
    "拒绝访问其他进程，以及模型和自身以外的所有文件。",
  ],
  layerOff: ["not there", "不可用"],
  probes: ["Proof", "证明"],
  probesText: [
    "Each way out was tried twice: without the lock, where it must succeed, and with the lock, where it must be refused.",
    "每条外传途径都试了两次：未加锁时必须成功，加锁后必须被拒绝。",
  ],
  probesNone: ["The probes have not been run. To run them:", "尚未运行探测。运行方法："],
  probe: ["Way out", "途径"],
  probe_tcp: ["TCP connection", "TCP 连接"],
  probe_udp: ["UDP datagram", "UDP 数据报"],
  probe_ipv6: ["TCP over IPv6", "IPv6 上的 TCP"],
  probe_dns: ["DNS query", "DNS 查询"],
  probe_mptcp: ["Multipath TCP", "多路径 TCP"],
  probe_fastopen: ["TCP fast open", "TCP 快速打开"],
  probe_libc: ["Call of the C library", "C 库调用"],
  probe_child: ["Child process", "子进程"],
  probe_thread: ["Thread started before the lock", "上锁前启动的线程"],
  probe_socket: ["Socket opened before the lock", "上锁前打开的套接字"],
  probeReached: ["got out", "可外连"],
  probeRefused: ["refused ({error})", "被拒绝（{error}）"],
  probeAbsent: ["not on this system", "本系统没有"],
  unlocked: ["Unlocked", "未加锁"],
  locked: ["Locked", "加锁后"],

  busy: ["The server is busy. Trying again in {seconds} s.", "服务器繁忙，{seconds} 秒后重试。"],
  tryNow: ["Try now", "立即重试"],
  gone: ["The server does not answer. Is it still running? Start it with: qingyu serve", "服务器没有响应。它还在运行吗？启动命令：qingyu serve"],
  goneShort: ["No connection to the server", "与服务器失去连接"],
  broken: ["The connection broke before the answer was finished.", "回答完成之前连接中断。"],
  back: ["The server is back.", "服务器已恢复。"],
  strange: ["The server answered {status} without saying why.", "服务器返回 {status}，未说明原因。"],
  storageFull: [
    "The browser's storage is full: this conversation is not saved. Export it, or delete others.",
    "浏览器存储已满：本对话未保存。请导出它，或删除其他对话。",
  ],
  exportThis: ["Export this conversation", "导出本对话"],
  loadingModel: ["The model is still loading.", "模型仍在加载。"],
  storageNone: ["This browser keeps nothing for this page: conversations end with the tab.", "本浏览器不为此页面保存数据：关闭标签页后对话即消失。"],
  damaged: ["A saved conversation cannot be read and was left as it is.", "一个已保存的对话无法读取，已原样保留。"],

  keySend: ["Send", "发送"],
  keyLine: ["New line", "换行"],
  keyStop: ["Stop the answer", "停止回答"],
  keyNew: ["New chat", "新对话"],
  keyFocus: ["Go to the message box", "跳到输入框"],
  keyEdit: ["Edit your last message (in an empty box)", "编辑上一条消息（输入框为空时）"],
  keySearch: ["Search conversations", "搜索对话"],
  keyHelp: ["This list", "显示本列表"],
};

export const SUGGESTIONS = [
  {
    title: ["Explain", "讲解"],
    prompt: ["Explain in three sentences why the sky is blue.", "用三句话解释天空为什么是蓝色的。"],
  },
  {
    title: ["Write", "写作"],
    prompt: ["Write a short poem about rain on a window.", "写一首关于窗外细雨的短诗。"],
  },
  {
    title: ["Program", "编程"],
    prompt: ["Write a Python function that adds the digits of a number.", "写一个 Python 函数，求一个整数各位数字之和。"],
  },
  {
    title: ["Fill a form (JSON)", "填表（JSON）"],
    prompt: [
      "Fill in the form: Anna Weber, who lives in Bremen, orders two blue bicycles. Her telephone number is 0421 5523.",
      "填写表格：李明住在北京，订购两辆蓝色自行车，电话 010-5523。",
    ],
    schema: {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 40 },
        city: { type: "string", maxLength: 40 },
        item: { type: "string", maxLength: 40 },
        quantity: { type: "integer", minimum: 1, maximum: 100 },
        telephone: { type: "string", maxLength: 20 },
      },
      required: ["name", "city", "item", "quantity", "telephone"],
      additionalProperties: false,
    },
  },
];

let place = document.documentElement.lang.startsWith("zh") ? 1 : 0;

export const language = () => (place === 1 ? "zh" : "en");

export function useLanguage(name) {
  place = name === "zh" ? 1 : 0;
  document.documentElement.lang = place === 1 ? "zh-CN" : "en";
}

/** Words of one page only, in the same form. */
export const addWords = (more) => Object.assign(WORDS, more);

/** One of two texts that stand side by side: pick(["yes", "是"]). */
export const pick = (pair) => pair[place];

export function say(key, values = {}) {
  if (!(key in WORDS)) throw new Error(`no words for ${key}`);
  return WORDS[key][place].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The words for something the server named, or the server's own where the page has none. */
export const sayOr = (key, words) => (key in WORDS ? say(key) : words);

export function sayAll(root) {
  for (const node of root.querySelectorAll("[data-say]")) node.textContent = say(node.dataset.say);
  for (const node of root.querySelectorAll("[data-say-placeholder]"))
    node.placeholder = say(node.dataset.sayPlaceholder);
  for (const node of root.querySelectorAll("[data-say-label]")) {
    const text = say(node.dataset.sayLabel);
    node.setAttribute("aria-label", text);
    if (node.tagName === "BUTTON") node.title = text;
  }
}

/** A number as people of the language write it, with at most `digits` after the point. */
export const number = (value, digits = 0) =>
  value.toLocaleString(language() === "zh" ? "zh-CN" : "en", { maximumFractionDigits: digits });

export function bytes(count) {
  if (count >= 2 ** 30) return `${number(count / 2 ** 30, 2)} GiB`;
  return `${number(count / 2 ** 20, count < 2 ** 25 ? 1 : 0)} MiB`;
}
